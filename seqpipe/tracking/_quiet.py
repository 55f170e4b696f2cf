"""Silence for what MLflow and its libraries say on their own."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["quiet"]

_SETTINGS = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
_NOISY = ("alembic", "mlflow.store.db.utils", "urllib3.connectionpool")


class _Silence:
    """Shared by threads: the first to ask for it makes it, and the last to leave ends it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._restore: Callable[[], None] = lambda: None

    def enter(self) -> None:
        with self._lock:
            if self._holders == 0:
                self._restore = _silence()
            self._holders += 1

    def leave(self) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                self._restore()


_SILENCE = _Silence()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what MLflow and its libraries log and print to themselves: what matters is raised."""
    _SILENCE.enter()
    try:
        yield
    finally:
        _SILENCE.leave()


def _silence() -> Callable[[], None]:
    """Silence this process and return what undoes it."""
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
