"""A run's results in words and tables."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from seqpipe.estimators import LanguageModel
from seqpipe.pipeline._result import Record, RunResult
from seqpipe.tasks import last_step

__all__ = ["local_path", "print_result", "print_table", "scores_table"]


def scores_table(result: RunResult) -> pd.DataFrame:
    """Return held-out scores, one row a score, the model's column beside those of the baselines."""
    name = f"{result.name} (model)" if result.name in result.baselines else result.name
    return pd.DataFrame({name: result.metrics, **result.baselines})


def print_result(console: Console, result: RunResult) -> None:
    """Print candidates, held-out scores, where everything is, and how to go on."""
    if len(result.table):
        console.print(_candidates(result.table))
    console.print(_scores(result))
    for name, text in result.texts.items():
        console.print(f"{name}:\n{text}", markup=False, highlight=False, soft_wrap=True)
    for line in _places(result):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def print_table(console: Console, frame: pd.DataFrame, title: str) -> None:
    """Print a frame's rows and columns as they are."""
    table = Table(title=title, title_justify="left")
    for column in frame.columns:
        numeric = pd.api.types.is_numeric_dtype(frame[column])
        table.add_column(Text(str(column)), justify="right" if numeric else "left")
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(_shown(value)) for value in row))
    console.print(table)


def local_path(uri: str) -> str:
    """Return a file URI as a path, relative where it lies under the working folder, and any other as it is."""
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return uri
    path = Path(unquote(parts.path))
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _candidates(found: pd.DataFrame) -> Table:
    table = Table(title="Candidates", title_justify="left")
    searched = [column for column in found.columns[2:] if column not in _FIXED]
    for column in ("rank", *searched, "score", "± std", "seconds a fit", "parameters"):
        table.add_column(column, justify="left" if column in searched else "right")
    for _, row in found.iterrows():
        failed = bool(row["error"])
        score = ["failed", "", "", ""] if failed else [_shown(row["mean"]), _shown(row["std"]), f"{row['seconds']:.1f}"]
        size = [] if failed else [_size(row["n_parameters"])]
        rank = "-" if failed else str(row["rank"])
        table.add_row(rank, *(Text(str(row[column])) for column in searched), *score, *size)
    errors = [f"{row['name']}: {row['error']}" for _, row in found.iterrows() if row["error"]]
    if errors:
        table.caption = Text("\n".join(errors))
    return table


_FIXED = ("mean", "std", "seconds", "n_parameters", "error")


def _scores(result: RunResult) -> Table:
    table = Table(title="Scores on the held-out data", title_justify="left")
    scores = scores_table(result)
    table.add_column("score")
    for i, column in enumerate(scores.columns):
        table.add_column(Text(str(column)), justify="right", style="bold" if i == 0 else None)
    for name, row in scores.iterrows():
        table.add_row(Text(str(name)), *(_shown(value) for value in row))
    return table


def _places(result: RunResult) -> Iterator[str]:
    record = result.record
    if record is None:
        yield "Nothing was recorded: 'tracking.enabled' is false."
        return
    folder = local_path(record.artifact_uri)
    names = ", ".join(f"{name}.png" for name in result.pictures)
    if names:
        yield f"pictures: {folder}/pictures ({names})"
    if record.model_uri:
        writes = isinstance(last_step(result.estimator), LanguageModel)
        yield f"model: {record.model_uri} (seqpipe {'generate and predict take' if writes else 'predict takes'} it)"
    yield from _next_commands(record)


def _next_commands(record: Record) -> Iterator[str]:
    name = f"'{record.experiment}'" if " " in record.experiment else record.experiment
    yield f"next: seqpipe compare {name}"
    yield "      seqpipe ui"


def _shown(value: object) -> str:
    if value is None or value is pd.NA:
        return "-"
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def _size(number: float) -> str:
    return "" if math.isnan(number) else f"{number:,.0f}"
