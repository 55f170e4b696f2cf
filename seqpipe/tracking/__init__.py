"""Record fits as MLflow runs and read runs as tables; the only package that imports mlflow."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from seqpipe.tracking._confined import local_database, outside_of_store
from seqpipe.tracking._device import DeviceReport, describe_device
from seqpipe.tracking._diagnosis import Diagnostic
from seqpipe.tracking._names import candidate_name, fit_name
from seqpipe.tracking._tracker import MLflowTracker
from seqpipe.tracking._uri import redacted_uri

if TYPE_CHECKING:
    from seqpipe.tracking._compare import read_curves, read_runs
    from seqpipe.tracking._experiments import newest_experiment
    from seqpipe.tracking._load import load_model
    from seqpipe.tracking._pages import interface_links
    from seqpipe.tracking._promote import Promotion, promote
    from seqpipe.tracking._status import read_status
    from seqpipe.tracking._store import sync
    from seqpipe.tracking._ui import serve, ui_command
    from seqpipe.tracking.serving import load_served

__all__ = [
    "DeviceReport",
    "Diagnostic",
    "MLflowTracker",
    "Promotion",
    "candidate_name",
    "describe_device",
    "fit_name",
    "interface_links",
    "load_model",
    "load_served",
    "local_database",
    "newest_experiment",
    "outside_of_store",
    "promote",
    "read_curves",
    "read_runs",
    "read_status",
    "redacted_uri",
    "serve",
    "sync",
    "ui_command",
]

#: Names whose module imports MLflow, and that module.
_READERS = {
    "Promotion": "_promote",
    "interface_links": "_pages",
    "load_model": "_load",
    "load_served": "serving",
    "newest_experiment": "_experiments",
    "promote": "_promote",
    "read_curves": "_compare",
    "read_runs": "_compare",
    "read_status": "_status",
    "serve": "_ui",
    "sync": "_store",
    "ui_command": "_ui",
}


def __getattr__(name: str) -> Any:
    """Import the readers and the interface, which import MLflow, on first use: worker processes import this package too."""
    if name not in _READERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"seqpipe.tracking.{_READERS[name]}"), name)
