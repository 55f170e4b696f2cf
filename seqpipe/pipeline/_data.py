"""From what a recipe says about data to what a task can train on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from seqpipe.datasets import DATASETS, Dataset
from seqpipe.exceptions import did_you_mean
from seqpipe.pipeline._document import FieldPath
from seqpipe.pipeline._load import LoadedRecipe
from seqpipe.pipeline._missing import Missing, without_missing
from seqpipe.pipeline._order import Gaps, ordered, time_gaps
from seqpipe.pipeline._summary import count
from seqpipe.pipeline._table import Table
from seqpipe.pipeline._text_data import from_text_file
from seqpipe.pipeline._text_files import is_text_file
from seqpipe.sequences import read_table
from seqpipe.tasks import Roles, Task, TaskData

__all__ = ["LoadedData", "load_data", "prepared"]


@dataclass(frozen=True)
class LoadedData:
    """Data for a task, and what the user should know about it."""

    data: TaskData
    notes: list[str] = field(default_factory=list)


def load_data(loaded: LoadedRecipe, task: Task) -> LoadedData:
    """Return the recipe's data, checked and in the order of time.

    Raises
    ------
    RecipeError
        If the data set, the file or a column does not exist.
    InvalidSequencesError
        If the data cannot be used as it is; names file, line, id and column.
    """
    section = loaded.recipe.data
    if section.path is not None:
        path = _existing(loaded, section.path)
        if is_text_file(path):
            return LoadedData(*from_text_file(loaded, task, path))
        return _from_table(loaded, task, Table.of(read_table(path), section.roles, str(path)), path.stem)
    dataset = _dataset(loaded)
    if dataset.frame is not None:
        return _from_table(loaded, task, _embedded(dataset, section.roles), dataset.name)
    if dataset.y is None and task.needs_target:
        raise loaded.error(("data", "dataset"), f"{dataset.name!r} has no targets: it fits no task of a recipe.")
    for role in ("id", "time", "features", "target", "sequence"):
        if getattr(section, role) is not None:
            raise loaded.error(("data", role), f"the data set {dataset.name!r} is no table: remove this field.")
    return LoadedData(TaskData(dataset.X, dataset.y, dataset.name))


def prepared(table: Table, *, sort: bool, missing: Missing) -> tuple[Table, list[str]]:
    """Return a table in order and without empty cells, and what was done to it; only if a row is a time step.

    Raises
    ------
    InvalidSequencesError
        If a row is unfit and the options do not mend it.
    """
    if not table.is_long:  # the task judges whole rows
        return table, []
    in_order = ordered(table, sort=sort)
    mended = without_missing(in_order, missing)
    return mended, list(_notes(table, in_order, mended))


def _notes(table: Table, in_order: Table, mended: Table) -> Iterator[str]:
    columns = table.value_columns
    empty = int(table.frame[columns].isna().to_numpy().sum())
    if empty and len(mended.frame) == len(table.frame):
        yield f"{count(empty, 'empty cell')} filled"
    elif empty:
        yield f"{count(len(table.frame) - len(mended.frame), 'step')} with empty cells dropped"
    if left_out := sorted(set(table.frame.columns) - {*columns, *_named(table.roles)}):
        yield f"columns without a role: {', '.join(map(str, left_out))}"
    gaps = time_gaps(in_order)
    if gaps is not None and gaps.n_gaps:
        yield _told(gaps)


def _told(gaps: Gaps) -> str:
    where = f" in {count(gaps.n_sequences, 'sequence')}"
    return f"{count(gaps.n_gaps, 'gap')} in time{where} (steps wider than the usual {gaps.step})"


def _named(roles: Roles) -> set[str | None]:
    return {roles.id, roles.time, roles.sequence, *roles.target, *(roles.features or ())}


def _from_table(loaded: LoadedRecipe, task: Task, table: Table, name: str) -> LoadedData:
    _check_columns(loaded, table)
    section = loaded.recipe.data
    if not table.is_long and (section.sort or section.missing != "error"):
        option = "sort" if section.sort else "missing"
        raise loaded.error(
            ("data", option), "needs 'id', 'time' or both: nothing says yet what a row's neighbours are."
        )
    table, notes = prepared(table, sort=section.sort, missing=section.missing)
    return LoadedData(task.from_table(table.frame, table.roles, name=name), notes)


def _embedded(dataset: Dataset, roles: Roles) -> Table:
    """Make a series' index its time column."""
    frame = dataset.frame
    assert frame is not None
    if roles.time is None and frame.index.name is not None:
        roles = replace(roles, time=str(frame.index.name))
        frame = frame.reset_index()
    return Table.of(frame, roles, dataset.name)


def _dataset(loaded: LoadedRecipe) -> Dataset:
    name = loaded.recipe.data.dataset
    if name not in DATASETS:
        names = sorted(DATASETS)
        message = f"must be one of {names}. Got {name!r} instead.{did_you_mean(name, names)}"
        raise loaded.error(("data", "dataset"), message)
    return DATASETS[name]()


def _existing(loaded: LoadedRecipe, written: str) -> Path:
    folders = [folder for folder in (loaded.document.folder, Path()) if folder is not None]
    for folder in folders:
        if (folder / written).is_file():
            return folder / written
    tried = " nor ".join(str(folder / written) for folder in folders)
    raise loaded.error(("data", "path"), f"there is no file {tried}. Paths are relative to the recipe.")


def _check_columns(loaded: LoadedRecipe, table: Table) -> None:
    columns = [str(column) for column in table.frame.columns]
    for path, column in _columns_named(loaded):
        if column not in columns:
            raise loaded.error(
                path,
                f"{table.source} has no column {column!r}.{did_you_mean(column, columns)} "
                f"Its columns are {', '.join(columns)}.",
            )
    for path, column in _columns_named(loaded):
        if path[1] == "features" and not pd.api.types.is_numeric_dtype(table.frame[column]):
            raise loaded.error(path, _not_numeric(table, column))


def _not_numeric(table: Table, column: str) -> str:
    texts = table.frame[column]
    bad = pd.to_numeric(texts, errors="coerce").isna() & texts.notna()
    if not bad.any():
        return f"the column {column!r} of {table.source} holds {texts.dtype}, features are numbers."
    row = int(bad.to_numpy().argmax())
    return f"features are numbers, but {column!r} is {texts.iloc[row]!r} at {table.place(row)}."


def _columns_named(loaded: LoadedRecipe) -> Iterator[tuple[FieldPath, str]]:
    section = loaded.recipe.data
    for role in ("id", "time", "sequence"):
        if (column := getattr(section, role)) is not None:
            yield ("data", role), column
    for role in ("features", "target"):
        for i, column in enumerate(getattr(section, role) or ()):
            yield ("data", role, i), column
