"""Measure how much tracking delays an epoch while the server answers, hangs or is gone.

    python benchmarks/outages.py

Prints the time of an epoch beyond the 20 ms that it sleeps, in milliseconds, over 300 epochs; without tracking, and with a
real MLflow server on the loopback address that is stopped or killed after ten epochs. Then the time that the end of the fit
takes.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
from sklearn.base import BaseEstimator

from seqpipe.callbacks import CallbackSupportMixin, with_callbacks
from seqpipe.tracking import MLflowTracker

EPOCHS, SECONDS = 300, 0.02


class Sleeper(CallbackSupportMixin, BaseEstimator):
    """Reports epochs that take the same time."""

    def __init__(self, on_epoch: Any = None) -> None:
        self.on_epoch = on_epoch

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> Sleeper:
        """Learn nothing."""
        context = self._init_callback_context(max_subtasks=EPOCHS)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        for epoch in range(1, EPOCHS + 1):
            task = context.subcontext(task_name="epoch").call_on_fit_task_begin(estimator=self)
            time.sleep(SECONDS)
            self.on_epoch(epoch)
            losses = {f"loss_{i}": 1 / epoch for i in range(8)}
            task.call_on_fit_task_end(estimator=self, metadata={"epoch": epoch, **losses})
        context.call_on_fit_task_end(estimator=self, metadata={"fit_seconds": 1.0})
        return self


def started(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder)]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    log = (folder / "log").open("wb")
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    uri = f"http://127.0.0.1:{port}"
    while True:
        try:
            urlopen(f"{uri}/health", timeout=5).close()
            return server, uri
        except OSError:
            time.sleep(0.1)


def measured(uri: str | None, server: subprocess.Popen[bytes], number: signal.Signals | None) -> str:
    """Fit once and return a row of the table."""
    moments = []

    def on_epoch(epoch: int) -> None:
        moments.append(time.perf_counter())
        if epoch == 10 and number is not None:
            os.killpg(server.pid, number)

    sleeper = Sleeper(on_epoch)
    if uri is not None:
        sleeper.set_callbacks(MLflowTracker("outages", tracking_uri=uri, log_model=False))
    sleeper.fit(np.eye(2))
    end = time.perf_counter() - moments[-1]
    delays = 1000 * np.array([later - earlier - SECONDS for earlier, later in pairwise(moments)])
    return f"{np.median(delays):8.2f} {np.percentile(delays, 99):8.2f} {delays.max():8.2f} {end:12.1f}"


def main() -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SEQPIPE_JOURNAL"] = f"{folder}/journals"
        server, uri = started(Path(folder))
        try:
            print(f"{'':18}  median      99 %  largest   end of fit (s)")
            print(f"{'not tracked':18}{measured(None, server, None)}")
            print(f"{'server answers':18}{measured(uri, server, None)}")
            print(f"{'server hangs':18}{measured(uri, server, signal.SIGSTOP)}")
            os.killpg(server.pid, signal.SIGCONT)
            print(f"{'server is gone':18}{measured(uri, server, signal.SIGKILL)}")
        finally:
            os.killpg(server.pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
