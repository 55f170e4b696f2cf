"""Report of the results of a run."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from seqpipe.estimators import LanguageModel
from seqpipe.pipeline._remark import smaller_is_better
from seqpipe.pipeline._result import Record, RunResult
from seqpipe.tasks import last_step

__all__ = ["local_path", "print_result", "print_table", "scores_table"]


def scores_table(result: RunResult) -> pd.DataFrame:
    """Return held-out scores, one row per score, one column for the model and each baseline."""
    name = f"{result.name} (model)" if result.name in result.baselines else result.name
    return pd.DataFrame({name: result.metrics, **result.baselines})


def print_result(console: Console, result: RunResult) -> None:
    """Print candidates, held-out scores, a remark on them, the locations of all outputs, and the next commands."""
    if len(result.table):
        console.print(_candidates(result.table))
    console.print(_scores(result))
    if result.remark is not None:
        console.print(Text(result.remark, "yellow"), soft_wrap=True)
    for name, text in result.texts.items():
        console.print(f"{name}:\n{text}", markup=False, highlight=False, soft_wrap=True)
    for line in _places(result):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def print_table(console: Console, frame: pd.DataFrame, title: str, *, caption: str = "") -> None:
    """Print a frame with a title and a caption."""
    table = Table(title=title, title_justify="left", caption=Text(caption) if caption else None, caption_justify="left")
    for column in frame.columns:
        numeric = pd.api.types.is_numeric_dtype(frame[column])
        table.add_column(Text(str(column)), justify="right" if numeric else "left")
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(_shown(value)) for value in row))
    console.print(table)


def local_path(uri: str) -> str:
    """Return a file URI as a path, relative if it is in the working folder; return other URIs unchanged."""
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return uri
    path = Path(unquote(parts.path))
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _candidates(found: pd.DataFrame) -> Table:
    table = Table(title="Candidates", title_justify="left", caption_justify="left")
    searched = [column for column in found.columns[2:] if column not in _FIXED]
    for column in ("rank", *searched, "score", "± std", "fit s", "compile s", "parameters"):
        table.add_column(column, justify="left" if column in searched else "right")
    for _, row in found.iterrows():
        failed = bool(row["error"])
        rank = "-" if failed else str(row["rank"])
        cells = ["failed", *[""] * 4] if failed else _result_cells(row)
        table.add_row(rank, *(Text(str(row[column])) for column in searched), *cells)
    errors = [f"{row['name']}: {row['error']}" for _, row in found.iterrows() if row["error"]]
    table.caption = Text("\n".join([_CANDIDATES_EXPLAINED, *errors]))
    return table


def _result_cells(row: pd.Series) -> list[str]:
    scores = [_shown(row["mean"]), _shown(row["std"])]
    return [*scores, _seconds(row["seconds"]), _seconds(row["compile_seconds"]), _size(row["n_parameters"])]


_FIXED = ("mean", "std", "seconds", "compile_seconds", "n_parameters", "error")
_CANDIDATES_EXPLAINED = (
    "score: mean ± standard deviation over the folds\n"
    "seconds per fit: training (fit s), and compilation of the cell before it (compile s)"
)


def _scores(result: RunResult) -> Table:
    caption = "bold: best of each row"
    table = Table(title="Scores on the held-out data", title_justify="left", caption=caption, caption_justify="left")
    scores = scores_table(result)
    table.add_column("score")
    for column in scores.columns:
        table.add_column(Text(str(column)), justify="right")
    for name, row in scores.iterrows():
        best = _best(str(name), row)
        table.add_row(Text(str(name)), *(Text(_shown(value), "bold" if value == best else "") for value in row))
    return table


def _best(name: str, row: pd.Series) -> float | None:
    """Return the best value of a score; None if its name does not determine whether greater is better."""
    smaller = smaller_is_better(name)
    return None if smaller is None else float(row.min() if smaller else row.max())


def _places(result: RunResult) -> Iterator[str]:
    record = result.record
    if record is None:
        yield "Nothing was recorded: 'tracking.enabled' is false."
        return
    names = ", ".join(f"{name}.png" for name in result.pictures)
    if names and record.artifact_uri is not None:
        yield f"pictures: {local_path(record.artifact_uri)}/pictures ({names})"
    if record.model_uri:
        writes = isinstance(last_step(result.estimator), LanguageModel)
        fitted = "" if result.final is result.estimator else "fitted again to all data; "
        takes = "generate and predict take" if writes else "predict takes"
        yield f"model: {record.model_uri} ({fitted}seqpipe {takes} it)"
    yield from _next_commands(record)


def _next_commands(record: Record) -> Iterator[str]:
    yield f"next: seqpipe compare {shlex.quote(record.experiment)}"
    yield "      seqpipe ui"
    for name, address in record.links.items():
        yield f"        {name}: {address}"


def _shown(value: object) -> str:
    if value is None or value is pd.NA:
        return "-"
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def _seconds(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.2f}"


def _size(number: float) -> str:
    return "" if math.isnan(number) else f"{number:,.0f}"
