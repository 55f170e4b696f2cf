"""Serve the MLflow interface of a store."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import psutil

from seqpipe.exceptions import TrackingError
from seqpipe.process import deferred_signals, hangup_exits
from seqpipe.tracking._store import open_client
from seqpipe.tracking._uri import redacted_uri, resolve_uri

__all__ = ["serve", "ui_command"]

#: Seconds that the server has to end, and between two checks of whether it has.
_TIMEOUT, _INTERVAL = 10.0, 0.05


def ui_command(
    *, host: str = "127.0.0.1", port: int = 5000, tracking_uri: str | None = None
) -> tuple[list[str], dict[str, str]]:
    """Return the command that serves the MLflow interface, and its environment.

    Raises
    ------
    TrackingError
        If the store is a missing database file, cannot be opened, or is a server, which has its own interface.
    """
    uri = resolve_uri(tracking_uri)
    if urlsplit(uri).scheme in ("http", "https"):
        raise TrackingError(f"The tracking store {redacted_uri(uri)!r} is a server: open that address in a browser.")
    open_client(uri)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    command += ["--host", host, "--port", str(port), "--workers", "1"]
    return command, {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def serve(command: list[str], environment: Mapping[str, str]) -> int:
    """Run a server until it ends or a signal ends this process, and end all its child processes.

    Returns
    -------
    code : int
        The exit code of the server, as a shell reports it.
    """
    if sys.platform == "win32":  # a console sends Ctrl-C to all processes
        return subprocess.run(command, env=environment, check=False).returncode
    with hangup_exits(), ExitStack() as stack:
        with deferred_signals():  # one that arrives between the two statements would leave the server running
            # In its own process group: otherwise Ctrl-C would reach only some of its processes.
            process = subprocess.Popen(command, env=environment, process_group=0)
            stack.callback(_end, process)
        # With a timeout: polars, which MLflow imports if installed, keeps Ctrl-C from interrupting a wait without one.
        code = process.wait(timeout=math.inf)
    return code if code >= 0 else 128 - code


def _end(process: subprocess.Popen[bytes]) -> None:
    """Terminate a process and its children; kill them if that takes too long or is interrupted."""
    started = _process_tree(process)
    try:
        _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + _TIMEOUT
        while any(map(_is_running, started)) and time.monotonic() < deadline:
            process.poll()
            time.sleep(_INTERVAL)
    finally:
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _process_tree(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    return []


def _is_running(process: psutil.Process) -> bool:
    """Return whether a process is running; a zombie is not."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # its processes have ended, or belong to another user
        os.killpg(process.pid, number)
