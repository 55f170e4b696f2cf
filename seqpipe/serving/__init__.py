"""Serve fitted models over HTTP; without mlflow.

`ServedModel` is an estimator with the form of its input, also for `seqpipe.tracking`, whose models MLflow can serve;
`Server` serves one.
"""

from typing import TYPE_CHECKING, Any

from seqpipe.serving._form import COLUMN, Form, form_of, plain_output, takes_texts, with_ids
from seqpipe.serving._hosts import is_loopback
from seqpipe.serving._limits import Limits
from seqpipe.serving._model import ServedModel

if TYPE_CHECKING:
    from seqpipe.serving._server import Server

__all__ = [
    "COLUMN",
    "Form",
    "Limits",
    "ServedModel",
    "Server",
    "form_of",
    "is_loopback",
    "plain_output",
    "takes_texts",
    "with_ids",
]


def __getattr__(name: str) -> Any:
    """Import the server on first use: models are logged without it."""
    if name != "Server":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from seqpipe.serving._server import Server

    return Server
