"""Output of commands: tables, pictures and generated text."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from seqpipe.cli._errors import OUTPUT_CLOSED
from seqpipe.exceptions import SeqpipeError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["check_picture", "console", "file_name", "write_pieces"]

#: Width of tables when the output is not a terminal.
_PLAIN_WIDTH = 120


def console(*, quiet: bool = False) -> Console:
    from rich.console import Console

    shown = Console(quiet=quiet)
    return shown if shown.is_terminal or "COLUMNS" in os.environ else Console(quiet=quiet, width=_PLAIN_WIDTH)


def check_picture(path: Path, formats: Mapping[str, str]) -> None:
    if path.suffix[1:].lower() not in formats:
        raise SeqpipeError(
            f"{path}: the file extension of the picture must be one of {sorted(formats)}. Got {path.suffix!r} instead."
        )
    if not path.parent.is_dir():
        raise SeqpipeError(f"{path}: the folder {str(path.parent)!r} does not exist. Create it or choose another one.")


def write_pieces(pieces: Iterable[str]) -> None:
    """Write each piece as soon as it is generated; exit silently if the reader closes the output, as ``head`` does."""
    try:
        for piece in pieces:
            sys.stdout.write(piece)
            sys.stdout.flush()
        typer.echo()
    except KeyboardInterrupt:
        typer.echo()
        raise
    except BrokenPipeError:
        # else Python reports it again when it flushes stdout on exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(OUTPUT_CLOSED) from None


def file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
