"""Find experiments in a store."""

from __future__ import annotations

from seqpipe.exceptions import TrackingError
from seqpipe.tracking._store import open_client
from seqpipe.tracking._uri import redacted_uri

__all__ = ["newest_experiment"]


def newest_experiment(tracking_uri: str | None = None) -> str:
    """Return the name of the experiment with the most recently started run.

    Raises
    ------
    TrackingError
        If the store cannot be used or has no runs.
    """
    client = open_client(tracking_uri)
    found = {each.experiment_id: each.name for each in client.search_experiments()}
    runs = client.search_runs(list(found), max_results=1, order_by=["attributes.start_time DESC"])
    if not runs:
        store = redacted_uri(client.tracking_uri)
        raise TrackingError(f'There are no runs in {store!r}: create some with "seqpipe run digits".')
    name: str = found[runs[0].info.experiment_id]
    return name
