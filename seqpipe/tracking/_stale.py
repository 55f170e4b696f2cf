"""Close runs left open by processes that no longer run."""

from __future__ import annotations

import os
import socket
import time
from functools import cache
from typing import Any

import psutil
from mlflow import MlflowClient
from mlflow.entities import RunTag

__all__ = ["close_stale_runs", "process_tags"]

_HOST, _PID, _STARTED = "seqpipe.host", "seqpipe.pid", "seqpipe.process_start"
_REASON = "process ended without closing the run"
#: Seconds by which two readings of the start time of a process may differ.
_TOLERANCE = 2.0


def process_tags() -> dict[str, str]:
    """Return tags that identify this process."""
    return _tags_of(os.getpid())


@cache
def _tags_of(pid: int) -> dict[str, str]:
    return {_HOST: socket.gethostname(), _PID: str(pid), _STARTED: repr(psutil.Process(pid).create_time())}


def close_stale_runs(client: MlflowClient) -> None:
    """End the open runs of processes of this host that no longer run, as KILLED."""
    for run in _open_runs_of_this_host(client):
        if not _is_alive(run.data.tags) and _is_open(client, run.info.run_id):
            client.log_batch(run.info.run_id, tags=[RunTag("seqpipe.error", _REASON)])
            client.set_terminated(run.info.run_id, "KILLED", end_time=time.time_ns() // 1_000_000)


def _is_open(client: MlflowClient, run_id: str) -> bool:
    """Read the run again: its process may have closed it after the runs were listed."""
    return bool(client.get_run(run_id).info.status == "RUNNING")


def _open_runs_of_this_host(client: MlflowClient) -> list[Any]:
    experiments = [found.experiment_id for found in client.search_experiments()]
    query = f"attributes.status = 'RUNNING' and tags.`{_HOST}` = '{socket.gethostname()}'"
    runs: list[Any] = []
    token = None
    while page := client.search_runs(experiments, query, page_token=token):
        runs += page
        if not (token := page.token):
            break
    return runs


def _is_alive(tags: dict[str, str]) -> bool:
    try:
        process = psutil.Process(int(tags[_PID]))
        same = abs(process.create_time() - float(tags[_STARTED])) < _TOLERANCE
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
