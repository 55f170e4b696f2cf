"""MLflow's own interface on a store."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

import psutil

from seqpipe.exceptions import TrackingError
from seqpipe.process import hangup_exits
from seqpipe.tracking._store import open_client
from seqpipe.tracking._uri import redacted_uri, resolve_uri

__all__ = ["serve", "ui_command"]

#: Seconds that the server has to end in, and between two looks whether it has.
_PATIENCE, _INTERVAL = 10.0, 0.05


def ui_command(
    *, host: str = "127.0.0.1", port: int = 5000, tracking_uri: str | None = None
) -> tuple[list[str], dict[str, str]]:
    """Return the command that serves MLflow's interface, and the environment to run it in.

    Raises
    ------
    TrackingError
        If the store is a database file that is not there yet, cannot be opened, or is a server, which has its own interface.
    """
    uri = resolve_uri(tracking_uri)
    if urlsplit(uri).scheme in ("http", "https"):
        raise TrackingError(f"The tracking store {redacted_uri(uri)!r} is a server: open that address in a browser.")
    open_client(uri)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    command += ["--host", host, "--port", str(port), "--workers", "1"]
    return command, {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def serve(command: list[str], environment: Mapping[str, str]) -> int:
    """Run a server until it ends, or until a signal ends this process: nothing that it started outlives that.

    Returns
    -------
    code : int
        The server's exit code, as a shell tells it.
    """
    if sys.platform == "win32":  # a console's Ctrl-C reaches all that it runs
        return subprocess.run(command, env=environment, check=False).returncode
    process = subprocess.Popen(command, env=environment, process_group=0)  # or a Ctrl-C would reach a part of it alone
    try:
        with hangup_exits():
            # Not blocked for good: polars, which MLflow imports where it is installed, lets a Ctrl-C interrupt no such wait.
            code = process.wait(timeout=math.inf)
    finally:
        _end(process)
    return code if code >= 0 else 128 - code


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started: asked first, forced if that takes too long or this is interrupted."""
    started = _started_by(process)
    try:
        _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE
        while any(map(_lives, started)) and time.monotonic() < deadline:
            process.poll()
            time.sleep(_INTERVAL)
    finally:
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _started_by(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    return []


def _lives(process: psutil.Process) -> bool:
    """Tell whether a process runs; one that has ended stays a zombie where nobody asks for its exit code."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # its processes are gone, or have been taken over
        os.killpg(process.pid, number)
