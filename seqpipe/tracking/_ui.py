"""MLflow's own interface on a store."""

from __future__ import annotations

import os
import sys

from seqpipe.tracking._uri import require_database, resolve_uri

__all__ = ["ui_command"]


def ui_command(
    *, host: str = "127.0.0.1", port: int = 5000, tracking_uri: str | None = None
) -> tuple[list[str], dict[str, str]]:
    """Return the command that serves MLflow's interface, and the environment to run it in.

    Raises
    ------
    TrackingError
        If the store is a database file that is not there yet.
    """
    uri = resolve_uri(tracking_uri)
    require_database(uri)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    command += ["--host", host, "--port", str(port), "--workers", "1"]
    return command, {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
