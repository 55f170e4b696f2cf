"""The import of a plug-in, which may print, exit or be slow without harm to others."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from importlib import metadata
from typing import Any, NoReturn

from seqpipe.exceptions import PluginError

__all__ = ["import_plugin"]


def import_plugin(entry_point: metadata.EntryPoint, distribution: str) -> Any:
    """Import an entry point.

    What it prints goes to stderr, so that it does not end up in a file of predictions. KeyboardInterrupt gets a note
    that names the distribution.

    Raises
    ------
    PluginError
        If it calls ``os._exit``.
    BaseException
        Any other that it raises; it may even call ``sys.exit``.
    """
    try:
        with _printing_to_stderr(), _no_exit():
            return entry_point.load()
    except KeyboardInterrupt as error:
        error.add_note(f"The plug-in {distribution!r} was being imported.")
        raise


@contextmanager
def _printing_to_stderr() -> Iterator[None]:
    """Send to stderr what Python code, C code and child processes write to stdout."""
    saved = None
    with suppress(OSError, ValueError, AttributeError):  # a closed stdout, or one that is no file
        if sys.stdout.fileno() == 1:
            sys.stdout.flush()
            saved = os.dup(1)
            os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if saved is not None:
            os.dup2(saved, 1)
            os.close(saved)


@contextmanager
def _no_exit() -> Iterator[None]:
    """Replace ``os._exit`` by a function that raises in this thread; elsewhere it does as always."""
    exit_at_once = os._exit
    importing = (os.getpid(), threading.get_ident())

    def refuse(status: int) -> NoReturn:
        if importing == (os.getpid(), threading.get_ident()):
            raise PluginError(f"it calls os._exit({status}) when it is imported")
        exit_at_once(status)

    os._exit = refuse
    try:
        yield
    finally:
        os._exit = exit_at_once
        importing = (0, 0)
