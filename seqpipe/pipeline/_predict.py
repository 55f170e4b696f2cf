"""Prediction for a table with a logged model."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.datasets import Dataset
from seqpipe.exceptions import DataWarning, InvalidSequencesError
from seqpipe.pipeline._forecast_rows import Ends, forecast_rows, steps_after
from seqpipe.pipeline._metadata import ModelMetadata
from seqpipe.pipeline._plugged_task import new_task
from seqpipe.pipeline._readers import read_with, reader_of
from seqpipe.pipeline._series_ids import note_on_absent
from seqpipe.pipeline._text_files import is_text_file, read_lines, write_lines
from seqpipe.tables import Roles, Table, TrainingTable, WrittenTable, count, read_written
from seqpipe.tasks import Task, TaskData, last_step
from seqpipe.tracking import load_model
from seqpipe.transformers import is_blank

__all__ = ["predict_table", "write_table"]


def predict_table(
    model: str, data: str | Path | None = None, *, n_steps: int | None = None, tracking_uri: str | None = None
) -> pd.DataFrame:
    """Return the predictions of a model that was created by a recipe.

    Parameters
    ----------
    model : str
        An MLflow model: "models:/…", "runs:/…", or its folder.
    data : path, optional
        A CSV or Parquet file, or one that a plug-in reads, with the columns named in the recipe; the target may be
        absent. For a model of texts
        also a .txt file, one text per line; a blank line gives a blank prediction, trailing blank lines none. For a
        forecast, rows with values of the target are history that followed the training data; the rows after the last
        of them, in each series, are forecast.
    n_steps : int, optional
        Number of time steps to forecast after the training data, or after the history in ``data``, of every series, for
        a forecast without exogenous columns.
    tracking_uri : str, optional
        The store of the model; by default MLFLOW_TRACKING_URI, else the embedded store in the working folder.

    Returns
    -------
    DataFrame
        One row per sequence, or per forecast step.

    Raises
    ------
    TrackingError
        If there is no such model, it was not created by a recipe, or it cannot be loaded safely.
    InvalidSequencesError
        If the data is invalid; the message names the position.

    Warns
    -----
    DataWarning
        If the data has columns that the training table did not have; they are ignored.
    """
    estimator, kept = load_model(model, tracking_uri)
    metadata = ModelMetadata.from_dict(kept, model=model)
    task = new_task(metadata.task, parameter=f"The task of the model {model!r}")
    known = metadata.table
    if data is None:
        if not known.is_forecast or known.roles.features is not None:
            raise InvalidSequencesError(
                f"The model {model!r} needs a table to predict for: give a CSV or Parquet file."
            )
        ends = _ends(estimator, known)
        return task.predictions(estimator, steps_after(task, known, ends, None, 1 if n_steps is None else n_steps))
    if known.is_forecast:
        asked = _asked(task, known, _ends(estimator, known), data, n_steps)
        return task.predictions(estimator, asked)
    if n_steps is not None:
        raise InvalidSequencesError(f"The model {model!r} does not forecast: leave out the number of steps.")
    if is_text_file(data):
        return _for_lines(task, estimator, known, data, model)
    found = _read(data, known)
    if isinstance(found, Dataset):
        return task.predictions(estimator, TaskData(found.X, None, found.name))
    table, notes = known.held(found, source=str(data))
    _warn(data, notes)
    return _predictions(task, estimator, known, table)


def _read(path: str | Path, known: TrainingTable) -> WrittenTable | Dataset:
    """Return the table of a file, or its sequences, if a plug-in reads it as such."""
    reader = reader_of(path)
    found = read_written(path, known.form) if reader is None else read_with(reader, path)
    return WrittenTable(found) if isinstance(found, pd.DataFrame) else found


def _ends(estimator: Any, known: TrainingTable) -> Ends:
    """Return the last times of each training series; only the model itself knows those of a panel."""
    if not known.panel:
        return {None: known.tail.index}
    ends: Ends = last_step(estimator).last_times_
    return {id: end.rename(known.roles.time or "step") for id, end in ends.items()}


def _asked(task: Task, known: TrainingTable, ends: Ends, path: str | Path, n_steps: int | None) -> TaskData:
    """Return the steps to forecast that a table and a number of steps ask for, with the history before them."""
    found = _read(path, known)
    if isinstance(found, Dataset):
        raise InvalidSequencesError(f"{path}: a forecast needs a table, and the file holds sequences.")
    rows = forecast_rows(task, known, ends, found, source=str(path))
    _warn(path, rows.notes)
    if rows.ahead is not None:
        if n_steps is not None:
            raise InvalidSequencesError(
                f"{path} has {count(len(rows.ahead.X), 'row')} to forecast, without a value of the target: leave out "
                "either these rows or the number of steps."
            )
        return replace(rows.ahead, history=rows.history)
    if known.roles.features is not None:
        raise InvalidSequencesError(
            f"{path} has no rows to forecast: every row has a value of the target. Add one row per step, with its "
            f"{', '.join(known.roles.features)} and an empty target."
        )
    if n_steps is None:
        raise InvalidSequencesError(
            f"{path} has no rows to forecast: every row has a value of the target. Give the number of steps to forecast after them, "
            "such as with --steps 12, or empty the target in the rows to forecast."
        )
    _warn(path, note_on_absent(ends, rows.given))
    return steps_after(task, known, ends, rows.history, n_steps)


def _warn(path: str | Path, notes: list[str]) -> None:
    for note in notes:
        warnings.warn(f"{path}: {note}", DataWarning, stacklevel=4)


def write_table(frame: pd.DataFrame, path: str | Path) -> None:
    """Write predictions by file suffix: the table to .csv or .parquet, the predictions, one per line, to .txt.

    Raises
    ------
    InvalidSequencesError
        If the suffix is not one of these, or the predictions cannot be written one per line.
    """
    path = Path(path)
    match path.suffix.lower():
        case ".csv":
            frame.to_csv(path, index=False)
        case ".parquet":
            frame.to_parquet(path, index=False, engine="pyarrow", write_page_checksum=True)
        case ".txt":
            write_lines(frame, path)
        case suffix:
            raise InvalidSequencesError(
                f"{path}: predictions are written as .csv, .parquet or .txt. Got {suffix!r} instead."
            )


def _for_lines(task: Task, estimator: Any, known: TrainingTable, path: str | Path, model: str) -> pd.DataFrame:
    """Return one prediction per line of a text file, a missing one for a blank line."""
    column = known.roles.sequence
    if column is None:
        raise InvalidSequencesError(f"{path}: the model {model!r} takes tables, not texts: give a CSV or Parquet file.")
    lines = read_lines(path, column)
    written = np.array([not is_blank(text) for text in lines[column]])
    alone = replace(known, roles=Roles(sequence=column))  # lines have no ids, unlike possibly the training table
    table, _ = alone.held(WrittenTable(lines[written]), source=str(path))
    predictions = _predictions(task, estimator, alone, table)
    return predictions if written.all() else _with_blank_lines(predictions, written, table)


def _with_blank_lines(predictions: pd.DataFrame, written: NDArray[np.bool_], table: Table) -> pd.DataFrame:
    """Return predictions for all lines; those that are not ``written`` have missing predictions."""
    if len(predictions) != len(table.frame):
        raise InvalidSequencesError(
            f"{table.source}:{int(written.argmin()) + 1}: the line is blank, and the model does not give one prediction per "
            "text: remove blank lines."
        )
    whole = predictions.select_dtypes("integer").columns
    predictions = predictions.astype(dict.fromkeys(whole, "Int64"))  # a missing value would convert them to floats
    spread = predictions.set_axis(np.flatnonzero(written), axis=0).reindex(range(len(written)))
    return spread.assign(id=np.arange(len(written)))


def _predictions(task: Task, estimator: Any, known: TrainingTable, table: Table) -> pd.DataFrame:
    found = task.from_table(table.frame, known.roles, name=table.source, with_target=False)
    try:
        return task.predictions(estimator, found)
    except InvalidSequencesError as error:
        raise InvalidSequencesError(_by_place(str(error), table)) from error


def _by_place(message: str, table: Table) -> str:
    """Replace the number of the sample by the position in the file, if a row is a sample."""
    if table.roles.sequence is None:
        return message
    return re.sub(r"^X, sample (\d+)", lambda found: table.place(int(found[1])), message)
