"""Find what an earlier attempt wrote, so that it is not written twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, ViewType
from mlflow.entities import Run as StoredRun

from seqpipe.tracking._run import Point, Run

__all__ = ["KEY", "MODEL_KEY", "delete_twins", "find_model", "find_runs", "missing_points", "stored_points"]

#: Tags that identify a run, and a logged model, before the store gives it an id.
KEY, MODEL_KEY = "seqpipe.run", "seqpipe.model"


def find_runs(client: MlflowClient, experiment_id: str, key: str) -> dict[str, StoredRun]:
    """Return the runs with this key, and those below it, by their keys; of twins the one that was written to."""
    found: dict[str, StoredRun] = {}
    for run in _matching(client, experiment_id, key):
        here = run.data.tags[KEY]
        if here not in found or _contents(run) > _contents(found[here]):
            found[here] = run
    return found


def _contents(run: StoredRun) -> tuple[bool, int]:
    size = len(run.data.tags) + len(run.data.params) + len(run.data.metrics)
    return run.info.lifecycle_stage == "active", size


def delete_twins(client: MlflowClient, experiment_id: str, run: Run) -> None:
    """Delete other runs with the key of ``run``: a request that seemed lost may have been answered later."""
    for twin in _matching(client, experiment_id, run.key):
        alike = twin.data.tags[KEY] == run.key and twin.info.lifecycle_stage == "active"
        if alike and twin.info.run_id != run.run_id:
            client.delete_run(twin.info.run_id)


def find_model(client: MlflowClient, experiment_id: str, key: str) -> LoggedModel | None:
    """Return the logged model with this key."""
    found = client.search_logged_models([experiment_id], f"tags.`{MODEL_KEY}` = '{key}'", max_results=1)
    return next(iter(found), None)


def missing_points(client: MlflowClient, stored: StoredRun, keys: dict[str, str], points: list[Point]) -> list[Point]:
    """Return the points that a run in the store does not have; ``keys`` are the keys of metrics by their names."""
    run_id, known = stored.info.run_id, stored.data.metrics
    wanted = {key for key in keys.values() if key in known}
    there = {(key, each.step, each.timestamp) for key in wanted for each in client.get_metric_history(run_id, key)}
    return [point for point in points if (keys[point.key], point.step, point.time) not in there]


def stored_points(client: MlflowClient, stored: StoredRun) -> set[tuple[str, int]]:
    """Return the keys and steps of all points of a run in the store."""
    run_id = stored.info.run_id
    return {(key, each.step) for key in stored.data.metrics for each in client.get_metric_history(run_id, key)}


def _matching(client: MlflowClient, experiment_id: str, key: str) -> Iterator[Any]:
    query = f"tags.`{KEY}` LIKE '{key}%'"
    token = None
    while True:
        page = client.search_runs([experiment_id], query, ViewType.ALL, page_token=token)
        yield from (run for run in page if f"{run.data.tags[KEY]}/".startswith(f"{key}/"))
        if not (token := page.token):
            return
