"""Compare the requests per second of `seqpipe serve` with those of `mlflow models serve`, on the same model.

    python benchmarks/serve.py

Clients in this process send requests of a few ragged sequences to one server at a time, in alternating rounds. MLflow runs in one
process too (`--workers 1`, its default).
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
from _measure import machine

from seqpipe import SequenceClassifier
from seqpipe.tracking._model import save_model

ROUNDS, SECONDS = 7, 5.0
CLIENTS = (1, 16)


def saved_model(folder: Path) -> tuple[str, bytes]:
    """Return a model's folder and the body of a request of four sequences."""
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(length, 3)) for length in rng.integers(20, 60, size=100)]
    model = SequenceClassifier(hidden_size=32, max_epochs=2, random_state=0).fit(X, ["a", "b"] * 50)
    save_model(model, X, folder / "model")
    body = {"dataframe_split": {"columns": ["sequence"], "data": [[each.tolist()] for each in X[:4]]}}
    return str(folder / "model"), json.dumps(body).encode()


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def served(command: list[str], port: int) -> Iterator[int]:
    """Run a server until it answers, and end it on exit."""
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not is_well(port):
            time.sleep(0.2)
        yield port
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=60)


def is_well(port: int) -> bool:
    """Return whether a server answers."""
    try:
        with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
    except OSError:
        return False


def rate(port: int, body: bytes, n_clients: int) -> float:
    """Return the answered requests per second of a round."""
    counts = [0] * n_clients
    until = time.perf_counter() + SECONDS

    def ask(client: int) -> None:
        with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            while time.perf_counter() < until:
                connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                if response.status != 200 or len(json.loads(response.read())["predictions"]) != 4:
                    raise RuntimeError(f"status {response.status}")
                counts[client] += 1

    clients = [threading.Thread(target=ask, args=(client,)) for client in range(n_clients)]
    start = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return sum(counts) / (time.perf_counter() - start)


def main() -> None:
    """Print one line per number of clients."""
    print(machine())
    print("| clients | seqpipe serve, requests/s | mlflow models serve, requests/s | ratio of medians | rounds |")
    print("|---|---|---|---|---|")
    with ExitStack() as stack:
        model, body = saved_model(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        ours = [sys.executable, "-m", "seqpipe", "serve", model]
        theirs = [str(Path(sys.executable).parent / "mlflow"), "models", "serve", "-m", model, "--env-manager", "local"]
        ports = [stack.enter_context(served(command, free_port())) for command in (ours, theirs)]
        for n_clients in CLIENTS:
            rates: list[list[float]] = [[], []]
            for i in range(ROUNDS + 1):
                for side in (0, 1) if i % 2 else (1, 0):
                    rates[side].append(rate(ports[side], body, n_clients))
            medians = [statistics.median(each[1:]) for each in rates]  # the first round warms up
            ratios = [a / b for a, b in zip(*rates)][1:]
            print(
                f"| {n_clients} | {medians[0]:.0f} | {medians[1]:.0f} | {medians[0] / medians[1]:.2f} "
                f"| {min(ratios):.2f} to {max(ratios):.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
