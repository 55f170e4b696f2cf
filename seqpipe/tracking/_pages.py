"""Links to the pages of the MLflow interface that show the newest searches."""

from __future__ import annotations

from urllib.parse import urlsplit

from mlflow import MlflowClient
from mlflow.entities import Experiment

from seqpipe.tracking._links import PAGES, runs_path
from seqpipe.tracking._store import open_client
from seqpipe.tracking._uri import resolve_uri

__all__ = ["interface_links"]

#: Where `seqpipe ui` serves by default.
_LOCAL = "http://127.0.0.1:5000"
#: Maximum number of experiments.
_MAX_EXPERIMENTS = 100


def interface_links(
    tracking_uri: str | None = None, *, site: str | None = None, experiment: str | None = None
) -> dict[str, dict[str, str]]:
    """Return links to the pages that show the newest search of each experiment.

    Parameters
    ----------
    tracking_uri : str, optional
        URI of the store; by default MLFLOW_TRACKING_URI, else the embedded store of the working folder.
    site : str, optional
        Address of the interface; by default that of the store if it is a server, else that of ``seqpipe ui``.
    experiment : str, optional
        Name of the only experiment to return links to.

    Returns
    -------
    links : dict of str to dict of str to str
        For each experiment with runs, that of the newest run first: addresses by the names of pages.

    Raises
    ------
    TrackingError
        If the store cannot be used.
    """
    uri = resolve_uri(tracking_uri)
    client = open_client(uri)
    if experiment is None:
        found = list(client.search_experiments(max_results=_MAX_EXPERIMENTS))
    else:
        found = [each for each in [client.get_experiment_by_name(experiment)] if each is not None]
    newest = [(_last_start(client, each), each) for each in found]
    shown = sorted(((time, each) for time, each in newest if time is not None), key=lambda pair: pair[0], reverse=True)
    return {each.name: _links(each, site or _site_of(uri)) for _, each in shown}


def _last_start(client: MlflowClient, experiment: Experiment) -> int | None:
    runs = client.search_runs([experiment.experiment_id], max_results=1, order_by=["attributes.start_time DESC"])
    return next((int(run.info.start_time) for run in runs), None)


def _site_of(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return _LOCAL
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"


def _links(experiment: Experiment, site: str) -> dict[str, str]:
    identifier = experiment.experiment_id
    paths = {page.name: page.path(identifier) for page in PAGES if page.tag in experiment.tags}
    paths = paths or {"Runs": runs_path(identifier)}
    return {name: f"{site}{path}" for name, path in paths.items()}
