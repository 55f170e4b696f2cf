"""Loading of the data of a recipe for its task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from seqpipe.datasets import Dataset
from seqpipe.exceptions import InvalidSequencesError, UnknownNameError, did_you_mean
from seqpipe.pipeline._document import FieldPath
from seqpipe.pipeline._load import LoadedRecipe
from seqpipe.pipeline._readers import read_with, reader_of
from seqpipe.pipeline._text_data import from_text_file
from seqpipe.pipeline._text_files import is_text_file
from seqpipe.plugins import host
from seqpipe.sequences import Sequences
from seqpipe.tables import (
    Roles,
    Table,
    TrainingTable,
    WrittenTable,
    check_complete,
    count,
    is_csv,
    prepared,
    read_written,
    typed,
)
from seqpipe.tasks import Task, TaskData

__all__ = ["LoadedData", "load_data"]


@dataclass(frozen=True)
class LoadedData:
    """Data for a task, with notes for the user.

    Attributes
    ----------
    data : TaskData
        The data.
    notes : list of str
        What was detected, filled, dropped or ignored.
    table : TrainingTable
        Properties of the table, to validate new tables.
    """

    data: TaskData
    notes: list[str] = field(default_factory=list)
    table: TrainingTable = field(default_factory=TrainingTable)


def load_data(loaded: LoadedRecipe, task: Task) -> LoadedData:
    """Return the data of the recipe, validated and in order of time.

    Raises
    ------
    RecipeError
        If the data set, the file or a column does not exist.
    InvalidSequencesError
        If the data is invalid; the message names file, line, id and column.
    """
    section = loaded.recipe.data
    if section.path is not None:
        path = _existing(loaded, section.path)
        if is_text_file(path):
            return LoadedData(*from_text_file(loaded, task, path))
        _check_format(loaded, path)
        if (reader := reader_of(path)) is not None:
            return _from_reader(loaded, task, path, read_with(reader, path))
        found = read_written(path, section.form)
        return _from_table(loaded, task, found, Table.of(found.frame, section.roles, str(path)), path.stem)
    return _from_dataset(loaded, task, _dataset(loaded), ("data", "dataset"))


def _from_reader(loaded: LoadedRecipe, task: Task, path: Path, found: pd.DataFrame | Dataset) -> LoadedData:
    if isinstance(found, Dataset):
        return _from_dataset(loaded, task, found, ("data", "path"))
    return _from_table(
        loaded, task, WrittenTable(found), Table.of(found, loaded.recipe.data.roles, str(path)), path.stem
    )


def _from_dataset(loaded: LoadedRecipe, task: Task, dataset: Dataset, source: FieldPath) -> LoadedData:
    section = loaded.recipe.data
    if dataset.frame is not None:
        table = _embedded(dataset, section.roles)
        return _from_table(loaded, task, WrittenTable(table.frame), table, dataset.name)
    if dataset.y is None and task.needs_target:
        raise loaded.error(
            source,
            f"{dataset.name!r} has no targets, which the task {loaded.recipe.task.name!r} requires: choose another one.",
        )
    for role in ("id", "time", "features", "target", "sequence"):
        if getattr(section, role) is not None:
            raise loaded.error(("data", role), f"the data set {dataset.name!r} is not a table: remove this field.")
    return LoadedData(TaskData(dataset.X, dataset.y, dataset.name))


def _from_table(loaded: LoadedRecipe, task: Task, found: WrittenTable, table: Table, name: str) -> LoadedData:
    _check_columns(loaded, table)
    section = loaded.recipe.data
    if not table.is_long and (section.sort or section.missing != "error"):
        option = "sort" if section.sort else "missing"
        raise loaded.error(("data", option), "needs 'id', 'time' or both, which define the order of the rows.")
    columns = tuple(map(str, table.frame.columns))
    table, notes = typed(
        table,
        target=task.target_type,
        texts=task.reads_texts or any(step.name == "tokenize" for step in loaded.recipe.steps),
        decimal=section.decimal,
        separator=found.separator,
    )
    written = table
    table, changes = prepared(table, sort=section.sort, missing=section.missing)
    if task.target_type == "series":
        _check_dropped(loaded, written, table)
    data = task.from_table(table.frame, table.roles, name=name)
    _check_steps(loaded, data)
    remembered = TrainingTable(table.roles, section.sort, section.missing, columns, section.form)
    return LoadedData(data, [*found.notes, *notes, *changes], remembered)


def _check_dropped(loaded: LoadedRecipe, written: Table, table: Table) -> None:
    """Raise `RecipeError` if rows were dropped, as the recipe asks, within a series, which is to have all of them."""
    time = table.roles.time
    if time is None or len(table.frame) == len(written.frame):
        return
    try:
        for rows in pd.Series(table.codes).groupby(table.codes).indices.values():
            check_complete(pd.Index(table.frame[time].iloc[rows]), name=table.source)
    except InvalidSequencesError as error:
        dropped = (~written.frame.index.isin(table.frame.index)).nonzero()[0]
        raise loaded.error(
            ("data", "missing"),
            f"'drop' removes {count(len(dropped), 'row')} with empty cells, the first at {written.place(int(dropped[0]))}, "
            "but a forecast requires every row: write 'interpolate' or 'forward', which fill these cells.",
        ) from error


def _check_steps(loaded: LoadedRecipe, data: TaskData) -> None:
    for i, step in enumerate(loaded.recipe.steps):
        if step.name == "tokenize" and isinstance(data.X, Sequences):
            raise loaded.error(("steps", i), f"{data.name!r} holds numbers, not texts: remove the step 'tokenize'.")


def _check_format(loaded: LoadedRecipe, path: Path) -> None:
    for option in ("separator", "encoding"):
        if getattr(loaded.recipe.data, option) is not None and not is_csv(path):
            raise loaded.error(("data", option), f"is for CSV files, and {path} is not one: remove this field.")


def _embedded(dataset: Dataset, roles: Roles) -> Table:
    """Return a series as a table, its index as the time column."""
    frame = dataset.frame
    assert frame is not None
    if roles.time is None and frame.index.name is not None:
        roles = replace(roles, time=str(frame.index.name))
        frame = frame.reset_index()
    return Table.of(frame, roles, dataset.name)


def _dataset(loaded: LoadedRecipe) -> Dataset:
    name = loaded.recipe.data.dataset
    try:
        found = host().find("dataset", name or "", parameter="'dataset'")
    except UnknownNameError as error:
        raise loaded.error(("data", "dataset"), str(error)) from error
    made = found.create()
    if not isinstance(made, Dataset):
        raise found.error(f"must be a seqpipe.datasets.Dataset. Its factory returned {made!r:.60} instead")
    return made


def _existing(loaded: LoadedRecipe, written: str) -> Path:
    folders = list(dict.fromkeys(folder for folder in (loaded.document.folder, Path()) if folder is not None))
    for folder in folders:
        if (folder / written).exists():
            return folder / written
    tried = " nor ".join(str(folder / written) for folder in folders)
    raise loaded.error(
        ("data", "path"), f"there is no file {tried}. Paths are relative to the recipe or the working folder."
    )


def _check_columns(loaded: LoadedRecipe, table: Table) -> None:
    columns = [str(column) for column in table.frame.columns]
    for path, column in _columns_named(loaded):
        if column not in columns:
            raise loaded.error(
                path,
                f"{table.source} has no column {column!r}.{did_you_mean(column, columns)} "
                f"Its columns are {', '.join(columns)}.",
            )


def _columns_named(loaded: LoadedRecipe) -> Iterator[tuple[FieldPath, str]]:
    section = loaded.recipe.data
    for role in ("id", "time", "sequence"):
        if (column := getattr(section, role)) is not None:
            yield ("data", role), column
    for role in ("features", "target"):
        for i, column in enumerate(getattr(section, role) or ()):
            yield ("data", role, i), column
