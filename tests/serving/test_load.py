"""A server process of the command line, under load: 50 clients for a minute, and bodies of 22 MB."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil
import pytest

import seqpipe
from seqpipe.estimators import SequenceClassifier

pytestmark = pytest.mark.skipif("SEQPIPE_FAULTS" not in os.environ, reason="takes minutes: set SEQPIPE_FAULTS=1")
N_CLIENTS, SECONDS = 50, 60
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module", params=[16, 32])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, psutil.Process, int]]:
    """Address and process of a server, and the MiB that its bodies may have."""
    X = [RNG.normal(size=(length, 2)) for length in RNG.integers(3, 30, size=40)]
    estimator = SequenceClassifier(hidden_size=16, max_epochs=1, random_state=0).fit(X, ["a", "b"] * 20)
    path = tmp_path_factory.mktemp("models") / "model.skops"
    seqpipe.save(estimator, path)
    command = [sys.executable, "-m", "seqpipe", "serve", str(path), "--port", "0"]
    process = subprocess.Popen([*command, "--max-body", str(request.param)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[0], psutil.Process(process.pid), request.param
        process.terminate()
        assert process.wait(timeout=60) == 143
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def connection_to(url: str) -> closing[HTTPConnection]:
    return closing(HTTPConnection(str(urlsplit(url).netloc), timeout=120))


def post(connection: HTTPConnection, body: bytes) -> tuple[int, Any]:
    connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def ask(url: str, until: float, seconds: list[float], failures: list[Any]) -> None:
    """Send requests of unequal sizes until a time."""
    draw = np.random.default_rng(threading.get_ident())
    with connection_to(url) as connection:
        while time.monotonic() < until:
            samples = [draw.normal(size=(n, 2)).tolist() for n in draw.integers(1, 60, size=draw.integers(1, 9))]
            start = time.perf_counter()
            status, answer = post(connection, json.dumps({"instances": samples}).encode())
            seconds.append(time.perf_counter() - start)
            if status != 200 or len(answer["predictions"]) != len(samples):
                failures.append((status, answer))


def load(url: str, seconds: float) -> tuple[list[float], list[Any]]:
    """Return the seconds of all requests of all clients, and those that failed."""
    took: list[float] = []
    failures: list[Any] = []
    until = time.monotonic() + seconds
    clients = [threading.Thread(target=ask, args=(url, until, took, failures)) for _ in range(N_CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return took, failures


def test_fifty_clients_get_answers_for_a_minute_in_flat_memory(served: tuple[str, psutil.Process, int]) -> None:
    url, process, _ = served
    load(url, 10)  # until every thread has run, and the allocator has what it needs
    before = process.memory_info().rss
    took, failures = load(url, SECONDS)
    after = process.memory_info().rss
    took.sort()
    print(
        f"{len(took)} requests, {len(failures)} failed, median {1000 * statistics.median(took):.0f} ms, "
        f"99 % {1000 * took[int(0.99 * len(took))]:.0f} ms, memory {before / 2**20:.0f} to {after / 2**20:.0f} MiB"
    )
    assert not failures
    assert len(took) > 10 * N_CLIENTS
    assert after < 1.1 * before


@pytest.mark.parametrize(
    "unit",
    [
        b"[[0.1234567890123456, -1.234567890123456]],",
        b"[[0.123456789, -1.5]],",
        b"[[1,2]],",
        b"[],",
        b'"a",',
        b'{"a":{}},',
        b'[["1",1]],',
        b'"' + b"\\u0041" * 99 + b'",',
    ],
)
def test_22_megabytes_are_answered_or_refused_within_seconds(
    served: tuple[str, psutil.Process, int], unit: bytes
) -> None:
    url, process, most = served
    body = b'{"instances": [' + unit * (22_000_000 // len(unit)) + unit[:-1] + b"]}"
    before, start = process.memory_info().rss, time.perf_counter()
    with connection_to(url) as connection:
        status, answer = post(connection, body)
    took, grown = time.perf_counter() - start, process.memory_info().rss - before
    print(f"{most} MiB, {unit[:20]!r}: {status} in {took:.1f} s, {grown / 2**20:+.0f} MiB, {str(answer)[:80]}")
    assert status == 413 if most == 16 else status in (200, 400, 413)
    assert took < 120  # it does not hang; how long it takes is printed
    with connection_to(url) as connection:
        assert post(connection, b'{"instances": [[[1, 2]]]}')[0] == 200
