"""Close runs left open by processes that no longer run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import RunTag

from seqpipe.tracking._found_runs import KEY, find_runs
from seqpipe.tracking._outcome import LOST
from seqpipe.tracking._process import is_alive
from seqpipe.tracking._quiet import quiet
from seqpipe.tracking._tables import read_tables, tags_of_open_runs

__all__ = ["close_stale_runs", "open_runs"]


def close_stale_runs(client: MlflowClient, experiment_ids: Sequence[str] | None = None) -> None:
    """End the open runs of processes that no longer run as KILLED, and their unfinished models as FAILED.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    experiment_ids : sequence of str, optional
        Experiments to look in; by default all.
    """
    found = read_tables(client.tracking_uri, partial(tags_of_open_runs, prefix="seqpipe."))
    if found is not None and all(map(is_alive, found)):
        return
    with quiet():
        _close_stale(client, experiment_ids)


def _close_stale(client: MlflowClient, experiment_ids: Sequence[str] | None) -> None:
    experiments = experiment_ids or [found.experiment_id for found in client.search_experiments()]
    # listed first: closing them changes the pages
    for run in list(open_runs(client, experiments)):
        if not is_alive(run.data.tags) and _is_open(client, run.info.run_id):
            _close(client, run)


def open_runs(client: MlflowClient, experiments: Sequence[str]) -> Iterator[Any]:
    """Yield the open runs of processes of seqpipe in some experiments."""
    query = "attributes.status = 'RUNNING' and tags.`seqpipe.pid` LIKE '%'"
    token = None
    while True:
        page = client.search_runs(list(experiments), query, page_token=token)
        yield from page
        if not (token := page.token):
            return


def _is_open(client: MlflowClient, run_id: str) -> bool:
    """Read the run again: its process may have closed it after the runs were listed."""
    return bool(client.get_run(run_id).info.status == "RUNNING")


def _close(client: MlflowClient, run: Any) -> None:
    run_id, experiment, key = run.info.run_id, run.info.experiment_id, run.data.tags.get(KEY)
    if key is not None and find_runs(client, experiment, key)[key].info.run_id != run_id:
        client.delete_run(run_id)  # a twin, created by a request whose answer was lost
        return
    for model in client.search_logged_models([experiment], f"source_run_id = '{run_id}'"):
        if str(model.status) == "PENDING":
            client.finalize_logged_model(model.model_id, "FAILED")
    client.log_batch(run_id, tags=[RunTag("seqpipe.error", LOST.reason)])
    client.set_terminated(run_id, LOST.status, end_time=time.time_ns() // 1_000_000)
