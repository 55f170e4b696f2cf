"""Find the logged model that a user names: by its URI, its run or its experiment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModel
from mlflow.entities import Run as StoredRun
from mlflow.exceptions import MlflowException

from seqpipe.exceptions import TrackingError, did_you_mean
from seqpipe.tracking._logged_model import find_logged
from seqpipe.tracking._registry import find_version, model_of_version
from seqpipe.tracking._uri import redacted_uri

__all__ = ["ChosenModel", "choose_model"]

_RUN_ID = re.compile("[0-9a-f]{1,32}")
#: Number of characters of a run id that are shown, and of runs that an ambiguous one lists.
_SHORT, _LISTED = 8, 10
_PARENT, _KIND = "mlflow.parentRunId", "seqpipe.kind"


@dataclass(frozen=True)
class ChosenModel:
    """A logged model with its runs.

    Attributes
    ----------
    model : LoggedModel
        The model.
    run, root : Run
        The run of its fit, and the outermost one, which differs for the refit of a search.
    experiment : str
        The name of their experiment.
    """

    model: LoggedModel
    run: StoredRun
    root: StoredRun
    experiment: str

    @property
    def short_id(self) -> str:
        """First characters of the id of the outermost run."""
        return str(self.root.info.run_id)[:_SHORT]


def choose_model(client: MlflowClient, source: str) -> ChosenModel:
    """Return the model that ``source`` names.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    source : str
        "models:/…", "runs:/<id>", the id of a run or its first characters, or the name of an experiment, of which the
        newest finished search or fit is meant.

    Raises
    ------
    TrackingError
        If there is none, several are meant, or the run has no complete model.
    """
    model = _named(client, source) if source.startswith("models:/") else None
    run = _found_run(client, source) if model is None else client.get_run(str(model.source_run_id))
    if model is None:
        model, run = _model_of(client, run)
    root = run
    while (parent := root.data.tags.get(_PARENT)) is not None:
        root = client.get_run(parent)
    return ChosenModel(model, run, root, str(client.get_experiment(root.info.experiment_id).name))


def _named(client: MlflowClient, source: str) -> LoggedModel:
    address = source.removeprefix("models:/")
    try:
        if not re.search("[/@]", address):
            return client.get_logged_model(address)
        model = model_of_version(client, find_version(client, address))
    except MlflowException as error:
        raise _unknown(client, source) from error
    if model is None:
        raise TrackingError(f"The model {source!r} has no run in this store, and so no held-out scores: give a run.")
    return model


def _found_run(client: MlflowClient, source: str) -> StoredRun:
    experiments = {each.name: each.experiment_id for each in client.search_experiments()}
    if source in experiments:
        return _newest(client, source, experiments[source])
    prefix = source.removeprefix("runs:/").partition("/")[0]
    found: list[Any] = []
    if _RUN_ID.fullmatch(prefix):
        query = f"attributes.run_id LIKE '{prefix}%'"
        found = list(client.search_runs(list(experiments.values()), query, max_results=_LISTED))
    if len(found) > 1:
        listed = ", ".join(f"{run.info.run_id} ({run.info.run_name})" for run in found)
        raise TrackingError(f"Several runs have ids that begin with {prefix!r}: {listed}. Give more characters.")
    if not found:
        raise _unknown(client, source, names=list(experiments))
    run: StoredRun = found[0]
    return run


def _unknown(client: MlflowClient, source: str, names: list[str] | None = None) -> TrackingError:
    hint = did_you_mean(source, names) if names else ""
    return TrackingError(
        f"There is no run, model or experiment {source!r} in {redacted_uri(client.tracking_uri)!r}.{hint} Give the first "
        "characters of the id of a run, the URI of a model as a run prints it, or the name of an experiment."
    )


def _newest(client: MlflowClient, name: str, experiment_id: str) -> StoredRun:
    """Return the newest finished search or fit of an experiment."""
    found: list[Any] = []
    for kind in ("search", "fit"):
        query = f"attributes.status = 'FINISHED' AND tags.`{_KIND}` = '{kind}'"
        found += client.search_runs([experiment_id], query, max_results=1, order_by=["attributes.start_time DESC"])
    if not found:
        raise TrackingError(f"The experiment {name!r} has no finished search or fit: give a run, or run a recipe.")
    return max(found, key=lambda run: run.info.start_time)


def _model_of(client: MlflowClient, run: StoredRun) -> tuple[LoggedModel, StoredRun]:
    """Return the model of a run, or of the refit below it, with its run."""
    query = f"tags.`{_PARENT}` = '{run.info.run_id}' AND tags.`{_KIND}` = 'refit'"
    for owner in (run, *client.search_runs([run.info.experiment_id], query, max_results=1)):
        if (uri := find_logged(client, owner.info.run_id)) is not None:
            return client.get_logged_model(uri.removeprefix("models:/")), owner
    kind = run.data.tags.get(_KIND)
    remedy = (
        f"A {kind} has none: give the search that it belongs to."
        if kind in ("candidate", "fold")
        else "It has not finished, models are not logged ('tracking.log_model: false', log_model=False), or its model holds types "
        "that are not trusted, of which a warning said which. Give another run, or run it again."
    )
    raise TrackingError(f"The run {run.info.run_name!r} ({run.info.run_id[:_SHORT]}) has no model. {remedy}")
