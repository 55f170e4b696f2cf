"""Read runs and their curves as tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run

from seqpipe.exceptions import TrackingError, did_you_mean
from seqpipe.tracking._inputs import TRAINING, data_of
from seqpipe.tracking._run import Kind
from seqpipe.tracking._store import open_client
from seqpipe.tracking._uri import redacted_uri

__all__ = ["read_curves", "read_runs"]

_COMPARED: tuple[Kind, ...] = ("candidate", "refit", "fit")
_COLUMNS = ["name", "kind", "status", "seconds", "run_id", "parent", "data", "data_digest"]
_PAGE = 1000


def read_runs(experiment: str, tracking_uri: str | None = None, *, kinds: Iterable[Kind] = _COMPARED) -> pd.DataFrame:
    """Return the runs of an experiment, newest first.

    Parameters
    ----------
    experiment : str
        Name of the experiment.
    tracking_uri : str, optional
        URI of the store; by default MLFLOW_TRACKING_URI, else the embedded store of the working folder.
    kinds : iterable of {"group", "search", "rung", "candidate", "fold", "refit", "fit"}
        Kinds of runs to return.

    Returns
    -------
    runs : DataFrame
        One row per run: name, kind, status, seconds from start to end (NaN while it runs), run_id, parent (the run_id of
        its parent, or None), data and data_digest (for an outermost fit the name of its data set and a digest of inputs
        and targets; else None), and one column "params.x" per parameter and "metrics.x" for the last value of each
        metric.

    Raises
    ------
    TrackingError
        If the store cannot be used or has no such experiment.
    """
    client = open_client(tracking_uri)
    wanted = set(kinds)
    rows = [_row(run) for run in _runs_of(client, experiment) if run.data.tags.get("seqpipe.kind") in wanted]
    return pd.DataFrame(rows, columns=None if rows else _COLUMNS)


def read_curves(run_ids: str | Iterable[str], tracking_uri: str | None = None) -> pd.DataFrame:
    """Return all values of all metrics of some runs.

    Parameters
    ----------
    run_ids : str or iterable of str
        Ids of the runs.
    tracking_uri : str, optional
        URI of the store; by default MLFLOW_TRACKING_URI, else the embedded store of the working folder.

    Returns
    -------
    curves : DataFrame
        Columns run_id, key, step (the epoch, from 1; 0 for values without an epoch) and value.

    Raises
    ------
    TrackingError
        If the store cannot be used or has no such run.
    """
    client = open_client(tracking_uri)
    wanted = [run_ids] if isinstance(run_ids, str) else list(run_ids)
    rows = [
        (run_id, point.key, point.step, point.value)
        for run_id in wanted
        for key in sorted(_metrics_of(client, run_id))
        for point in client.get_metric_history(run_id, key)
    ]
    curves = pd.DataFrame(rows, columns=["run_id", "key", "step", "value"])
    return curves.sort_values(["run_id", "key", "step"], kind="stable", ignore_index=True)


def _runs_of(client: MlflowClient, experiment: str) -> list[Run]:
    found = client.get_experiment_by_name(experiment)
    if found is None:
        names = sorted(each.name for each in client.search_experiments())
        raise TrackingError(
            f"There is no experiment {experiment!r} in {redacted_uri(client.tracking_uri)!r}, only {names}."
            f"{did_you_mean(experiment, names)}"
        )
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs([found.experiment_id], max_results=_PAGE, page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs


def _row(run: Run) -> dict[str, Any]:
    info, tags = run.info, run.data.tags
    seconds = float("nan") if info.end_time is None else (info.end_time - info.start_time) / 1000
    return {
        "name": info.run_name,
        "kind": tags["seqpipe.kind"],
        "status": info.status,
        "seconds": seconds,
        "run_id": info.run_id,
        "parent": tags.get("mlflow.parentRunId"),
        **_data_of(run),
        **{f"params.{name}": value for name, value in sorted(run.data.params.items())},
        **{f"metrics.{name}": value for name, value in sorted(run.data.metrics.items())},
    }


def _data_of(run: Run) -> dict[str, str | None]:
    data = data_of(run, TRAINING)
    return {"data": None if data is None else data.name, "data_digest": None if data is None else data.digest}


def _metrics_of(client: MlflowClient, run_id: str) -> list[str]:
    try:
        return list(client.get_run(run_id).data.metrics)
    except Exception as error:
        raise TrackingError(
            f"There is no run {run_id!r} in {redacted_uri(client.tracking_uri)!r}: read_runs() lists the ids of runs."
        ) from error
