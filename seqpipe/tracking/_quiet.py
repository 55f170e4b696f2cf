"""Silence the messages of MLflow and its libraries."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager

from seqpipe.process import Shared

__all__ = ["quiet"]

_SETTINGS = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
_NOISY = ("alembic", "mlflow.store.db.utils", "urllib3.connectionpool")


def _silence() -> Callable[[], None]:
    """Silence the loggers in this process and return a function that restores them."""
    levels = {name: logging.getLogger(name).level for name in _NOISY}
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    settings = {name: os.environ.get(name) for name in _SETTINGS}
    os.environ.update(_SETTINGS)

    def restore() -> None:
        for name, value in settings.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)

    return restore


_SILENCE = Shared(_silence)


def quiet() -> AbstractContextManager[None]:
    """Suppress what MLflow and its libraries log and print; errors are still raised."""
    return _SILENCE.held()
