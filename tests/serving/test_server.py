"""Real servers on the loopback address: answers, counters, load and the end of the process."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil
import pytest

from seqpipe.exceptions import SeqpipeError
from seqpipe.serving import Limits, ServedModel, Server

ONE = {"inputs": [1, 2]}
LONG = pytest.mark.skipif("SEQPIPE_FAULTS" not in os.environ, reason="starts a process: set SEQPIPE_FAULTS=1")


class Sums:
    """Stands for an estimator; waits for a negative number as many seconds, or until it may go on."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.n_waiting = 0

    def predict(self, X: Any) -> Any:
        if np.any(np.asarray(X) < 0):
            self.n_waiting += 1
            self.go_on.wait(timeout=60)
        if np.any(np.asarray(X) == 13):
            raise RuntimeError("a fault of the model")
        return np.asarray(X) + 1


class Client:
    """Requests to one server, each over a connection of its own."""

    def __init__(self, url: str) -> None:
        self.address = (str(urlsplit(url).hostname), int(urlsplit(url).port or 0))

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        return self._ask(method, path)

    def post(self, body: Any, path: str = "/predict") -> tuple[int, Any]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, answer = self._ask("POST", path, content, {"Content-Type": "application/json"})
        return status, json.loads(answer)

    def _ask(self, *request: Any) -> tuple[int, str]:
        with closing(HTTPConnection(*self.address, timeout=60)) as connection:
            connection.request(*request)
            response = connection.getresponse()
            return response.status, response.read().decode()


@pytest.fixture
def model() -> Iterator[ServedModel]:
    estimator = Sums()
    yield ServedModel(estimator, "array", [])
    estimator.go_on.set()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def server_side(client: socket.socket) -> list[int]:
    """Return the file descriptor of the server's end of a connection; empty if it is closed."""
    found = psutil.net_connections("tcp4")
    return [each.fd for each in found if each.pid == os.getpid() and each.raddr == client.getsockname()]


def test_a_model_is_served_at_the_paths_it_describes(serving: Callable[..., Any], model: ServedModel) -> None:
    with serving(model) as url:
        client = Client(url)
        assert client.post(ONE) == client.post(ONE, "/invocations") == (200, {"predictions": [2.0, 3.0]})
        assert client.get("/health") == (200, '{"status":"ok"}')
        assert client.get("/health", "HEAD") == (200, "")
        assert f"curl {url}/predict" in client.get("/")[1]
        described = json.loads(client.get("/openapi.json")[1])
        assert described["openapi"] == "3.1.0"
        for path, methods in described["paths"].items():
            [(method, _)] = methods.items()
            assert client.get(path, method.upper())[0] in (200, 415), path
        assert client.post(ONE, "/predict_proba")[0] == 404


def test_the_curl_command_shown_is_answered(serving: Callable[..., Any], model: ServedModel) -> None:
    with serving(model) as url:
        client = Client(url)
        body = re.search(r"-d '(.+)'", client.get("/")[1])
        assert body is not None
        assert client.post(body[1].encode())[0] == 200


def test_requests_and_predictions_are_counted(serving: Callable[..., Any], model: ServedModel) -> None:
    with serving(model) as url:
        client = Client(url)
        client.post(ONE)
        client.post({"inputs": "x"})
        client.get("/a/path/of/the/client")
        found = dict(line.rsplit(" ", 1) for line in client.get("/metrics")[1].splitlines() if line[0] != "#")
    assert found['seqpipe_requests_total{path="/predict",status="200"}'] == "1"
    assert found['seqpipe_requests_total{path="/predict",status="400"}'] == "1"
    assert found['seqpipe_requests_total{path="other",status="404"}'] == "1"
    assert found["seqpipe_predictions_total"] == "2"
    assert found["seqpipe_request_seconds_count"] == found['seqpipe_request_seconds_bucket{le="+Inf"}'] == "3"
    assert int(found["process_resident_memory_bytes"]) > 10**7


def test_requests_beyond_the_bound_are_asked_to_come_again(serving: Callable[..., Any], model: ServedModel) -> None:
    limits = Limits(n_workers=1, max_waiting=2)
    with serving(model, limits=limits) as url, ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(Client(url).post, {"inputs": [-1]}) for _ in range(2)]
        metrics = Client(url)
        wait_until(lambda: "seqpipe_requests_in_progress 3" in metrics.get("/metrics")[1])
        status, answer = Client(url).post(ONE)
        assert (status, answer["error_code"]) == (503, "SERVICE_UNAVAILABLE")
        assert "2 requests are waiting. Try again" in answer["message"]
        assert metrics.get("/health")[0] == 200
        model.estimator.go_on.set()
        assert [each.result() for each in waiting] == [(200, {"predictions": [0.0]})] * 2
        assert Client(url).post(ONE)[0] == 200


def test_bodies_that_fill_the_memory_are_asked_to_come_again(serving: Callable[..., Any], model: ServedModel) -> None:
    limits = Limits(n_workers=1, max_body=1000, max_held=1)
    with serving(model, limits=limits) as url, ThreadPoolExecutor(1) as pool:
        first = pool.submit(Client(url).post, b'{"inputs": [-1]}' + b" " * 600)
        wait_until(lambda: model.estimator.n_waiting == 1)
        status, answer = Client(url).post(b'{"inputs": [1]}' + b" " * 600)
        assert (status, "fill the memory" in answer["message"]) == (503, True)
        model.estimator.go_on.set()
        assert first.result()[0] == 200
        assert Client(url).post(b'{"inputs": [1]}' + b" " * 600)[0] == 200


def test_a_prediction_that_does_not_end_is_given_up(serving: Callable[..., Any], model: ServedModel) -> None:
    with serving(model, limits=Limits(n_workers=2, predict_seconds=0.5)) as url:
        status, answer = Client(url).post({"inputs": [-1]})
        assert (status, "did not end within 0.5 seconds" in answer["message"]) == (503, True)
        wait_until(lambda: Client(url).post(ONE)[0] == 200)


def test_connections_beyond_the_bound_are_refused(serving: Callable[..., Any], model: ServedModel) -> None:
    with serving(model, limits=Limits(max_connections=1, head_seconds=60)) as url:
        client = Client(url)
        with socket.create_connection(client.address) as first:
            wait_until(lambda: client.get("/health")[0] == 503)
            first.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            assert first.recv(2**16).startswith(b"HTTP/1.1 200")
        wait_until(lambda: client.get("/health")[0] == 200)


def test_a_fault_of_the_model_shows_no_traceback_to_the_client(
    serving: Callable[..., Any], model: ServedModel, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(model) as url:
        status, answer = Client(url).post({"inputs": [13]})
    assert (status, answer["message"]) == (500, "The server failed. Its output has the reason.")
    assert "RuntimeError: a fault of the model" in capfd.readouterr().err


def test_a_client_that_leaves_is_no_fault(
    serving: Callable[..., Any], model: ServedModel, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(model) as url:
        client = Client(url)
        for _ in range(5):
            with socket.create_connection(client.address) as leaver:
                leaver.sendall(b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n")
                leaver.sendall(b"content-length: 99\r\n\r\n{")
        wait_until(lambda: 'path="/predict",status="499"} 5' in client.get("/metrics")[1])
    assert capfd.readouterr().err == ""


def test_answers_are_sent_without_delay(serving: Callable[..., Any], model: ServedModel) -> None:
    with serving(model) as url, socket.create_connection(Client(url).address) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert client.recv(2**16)
        [fd] = server_side(client)
        with socket.socket(fileno=os.dup(fd)) as server:
            assert server.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_client_that_does_not_take_its_answer_is_disconnected(serving: Callable[..., Any]) -> None:
    class Wide:
        def predict(self, X: Any) -> Any:
            return np.zeros(3_000_000, dtype=np.int8)

    with serving(ServedModel(Wide(), "array", []), limits=Limits(write_seconds=0.5)) as url, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**12)
        client.settimeout(60)
        client.connect(Client(url).address)
        client.sendall(b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n")
        client.sendall(b'content-length: 15\r\n\r\n{"inputs": [1]}')
        wait_until(lambda: len(server_side(client)) == 1)
        wait_until(lambda: not server_side(client))


def test_a_port_in_use_is_told(model: ServedModel) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(SeqpipeError, match=r"port \d+ \(Address already"),
    ):
        Server(model, name="m", port=taken.getsockname()[1])


#: The command line's handling of signals around a server of a model that takes seconds.
PROGRAM = """
import sys, time
from seqpipe.process import command_line
from seqpipe.serving import Limits, ServedModel, Server
class Slow:
    def predict(self, X):
        time.sleep(float(max(X)))
        return X
with command_line(lambda *_: None):
    server = Server(ServedModel(Slow(), "array", []), name="slow", limits=Limits(grace_seconds=3))
    print(server.url, flush=True)
    server.run()
"""


@pytest.mark.parametrize(
    ("number", "seconds", "code"),
    [
        (signal.SIGTERM, 1, 143),
        pytest.param(signal.SIGINT, 1, -signal.SIGINT, marks=LONG),
        pytest.param(signal.SIGTERM, 1000, 143, marks=LONG),
    ],
)
def test_a_signal_ends_the_server_after_the_requests_in_progress(number: int, seconds: int, code: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(Client(url).post, {"inputs": [seconds]})
            metrics = Client(url)
            wait_until(lambda: "seqpipe_requests_in_progress 2" in metrics.get("/metrics")[1])
            process.send_signal(number)
            assert process.wait(timeout=60) == code
            if seconds == 1:
                assert asked.result() == (200, {"predictions": [1.0]})
            else:
                assert asked.exception() is not None or asked.result()[0] == 503
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
