"""Write to an experiment how the MLflow interface shows its newest search."""

from __future__ import annotations

import json

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from seqpipe.tracking._links import PAGES
from seqpipe.tracking._view import SearchView, is_unchanged, view_tags

__all__ = ["show_search"]

_DESCRIPTION = "mlflow.note.content"
_FORBIDDEN = ("PERMISSION_DENIED", "UNAUTHENTICATED")


def show_search(client: MlflowClient, experiment_id: str, run_id: str, view: SearchView) -> None:
    """Write the views of the search that the run ``run_id`` records, and tags that the interface reads.

    Left as they are: a view that a user has changed, that of a newer search, and any tag that exists.
    """
    try:
        there = client.get_experiment(experiment_id).tags
        views = view_tags(view, run_id)
        for key in (page.tag for page in PAGES):
            if not _is_older(there.get(key), view.time):
                continue
            if key in views:
                client.set_experiment_tag(experiment_id, key, views[key])
            elif key in there:
                client.delete_experiment_tag(experiment_id, key)
        for key, value in _tags(experiment_id, view, views).items():
            if key not in there:
                client.set_experiment_tag(experiment_id, key, value)
    except MlflowException as error:
        if error.error_code not in _FORBIDDEN:  # the runs are complete without it
            raise


def _is_older(tag: str | None, time: int) -> bool:
    return tag is None or (is_unchanged(tag) and json.loads(tag)["createdAt"] < time)


def _tags(experiment_id: str, view: SearchView, views: dict[str, str]) -> dict[str, str]:
    pages = [page for page in PAGES if page.tag in views]
    links = " · ".join(f"[{page.name}]({page.path(experiment_id).removeprefix('/')})" for page in pages)
    return {
        "mlflow.experimentKind": "custom_model_development",
        "mlflow.experiment.primaryMetric.name": view.score,
        "mlflow.experiment.primaryMetric.greaterIsBetter": "True",
        _DESCRIPTION: f"Views of the last search: {links}\n\n{_EXPLAINED}",
    }


_EXPLAINED = """\
A search has a run for each candidate, a candidate a run for each fold, and the run of the refit holds the model. \
Metrics `mean_…` and `std_…` of a candidate are the mean and the standard deviation over its folds."""
