"""Errors of commands: one line on stderr, and an exit code."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from seqpipe.exceptions import RecipeError, SeqpipeError

__all__ = ["FAILED", "OUTPUT_CLOSED", "clean_errors", "show_warning"]

FAILED, _USAGE_ERROR, _INTERRUPTED, OUTPUT_CLOSED = 1, 2, 130, 141


@contextmanager
def clean_errors() -> Iterator[None]:
    """Turn any exception into one line on stderr and its exit code."""
    try:
        yield
    except (typer.Exit, typer.BadParameter):
        raise
    except KeyboardInterrupt as stop:
        _fail(". ".join(["stopped", *getattr(stop, "__notes__", ())]), _INTERRUPTED)
    except SystemExit as stop:  # on SIGTERM
        for note in getattr(stop, "__notes__", ()):
            typer.echo(f"stopped. {note}", err=True)
        raise
    except RecipeError as error:
        _fail(_message(error), _USAGE_ERROR)
    except Exception as error:
        _fail(_message(error), FAILED)


def _fail(message: str, code: int) -> NoReturn:
    if os.environ.get("SEQPIPE_DEBUG", "0") not in ("", "0"):
        traceback.print_exc()
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def _message(error: Exception) -> str:
    """Return an error's message, with its documentation page, or its type if it is not an error for users."""
    text = " ".join(str(error).split())
    if isinstance(error, SeqpipeError):
        return f"{text} (see {error.page})"
    if isinstance(error, OSError):
        return text
    return f"{type(error).__name__}: {text} (set SEQPIPE_DEBUG=1 for the traceback)"


def show_warning(message: Warning | str, *where: object, **more: object) -> None:
    typer.echo(f"warning: {' '.join(str(message).split())}", err=True)
