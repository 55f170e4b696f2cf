"""The commands ``seqpipe data …``: the integrity of data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqpipe.cli._errors import clean_errors

__all__ = ["data_app"]

data_app = typer.Typer(help="Protect data sets against damage.", no_args_is_help=True)


@data_app.command("fingerprint")
def fingerprint(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders of Parquet files.")],
) -> None:
    """Write a fingerprint beside each data set, PATH.fingerprint; it is checked whenever the data is read."""
    with clean_errors():
        from seqpipe.tables import write_fingerprint

        for path in paths:
            typer.echo(f"fingerprint: {write_fingerprint(path)}")
