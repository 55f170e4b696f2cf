"""Tables out of files, by their suffix; a file that is broken is refused with the place, never half read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._csv import CSV_SUFFIXES, CsvFormat, read_csv
from seqpipe.tables._fingerprint import check_fingerprint, check_regular
from seqpipe.tables._numbers import holds_text, read_numbers, texts_of_column
from seqpipe.tables._parquet import read_parquet, read_parquet_folder

__all__ = ["WrittenTable", "is_csv", "read_table", "read_written"]


@dataclass(frozen=True)
class WrittenTable:
    """A table as read from its file, and what was detected while reading it.

    Attributes
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        Cells as written: text, except for integers and the types of Parquet.
    separator : str or None
        The cell separator of a CSV file.
    notes : list of str
        Messages for the user.
    """

    frame: pd.DataFrame
    separator: str | None = None
    notes: list[str] = field(default_factory=list)


def read_table(
    path: str | Path, *, separator: str | None = None, decimal: str = ".", encoding: str | None = None
) -> pd.DataFrame:
    """Read a table from a file; its suffix determines the format.

    Parameters
    ----------
    path : str or Path
        A ``.csv`` or ``.tsv`` file with one header line, also ``.csv.gz`` and ``.tsv.gz``; a ``.parquet`` file, or a folder
        of them.
    separator : str, optional
        The cell separator of a CSV file; detected from its first lines by default.
    decimal : {".", ","}, default="."
        The decimal mark of a CSV file.
    encoding : str, optional
        Encoding of a CSV file; UTF-8, with or without byte order mark, by default.

    Returns
    -------
    DataFrame of shape (n_rows, n_columns)
        For CSV, the index is named "line" and holds the line of the file on which a row begins, so that an invalid row
        can be located; empty cells are missing. A column whose cells are all numbers is numeric, and "NA", "NaN",
        "null", "None" and "N/A" in it are missing; all other columns are text as written, including numbers with
        leading zeros, which are identifiers. For Parquet, the index counts rows from 0, stored indices are columns, and
        columns of lists keep the Arrow memory: :func:`seqpipe.sequences.sequences_from_arrow` converts them without a
        copy.

    Notes
    -----
    A fingerprint beside the file, as written by :func:`write_fingerprint`, is verified. A table may take the larger of
    1 GB and 50 times the size of its file, and no more than the memory that is available; the environment variable
    ``SEQPIPE_MAX_TABLE``, such as ``8GB``, sets another limit. What a Parquet file would unpack to is computed from the
    headers of its pages before any is unpacked; checksums of pages are verified where there are any.

    Raises
    ------
    InvalidSequencesError
        If the file is missing, empty, damaged or of another kind, differs from its fingerprint, or would take more memory
        than the limit; if two columns share a name; or if a CSV row has a different number of cells than the header, a
        NUL byte, or a cell of more than 1 MB. The message names the file and the line.
    """
    form = CsvFormat(separator, decimal, encoding)
    frame = read_written(path, form).frame
    if not is_csv(path):
        return frame
    return frame.assign(**{str(name): _numbers_where_possible(frame[name], decimal) for name in frame.columns})


def read_written(path: str | Path, form: CsvFormat | None = None) -> WrittenTable:
    """Read a table with its cells as written; see `read_table`."""
    path = Path(path)
    if not (is_csv(path) or path.is_dir() or path.suffix.lower() == ".parquet"):
        raise InvalidSequencesError(
            f"{path}: the suffix of a table must be one of {', '.join([*CSV_SUFFIXES, '.parquet'])}, or the path a "
            f"folder of Parquet files. Got {path.suffix!r} instead."
        )
    try:
        check_regular(path)
        check_fingerprint(path)
        if is_csv(path):
            return _noted(*read_csv(path, form or CsvFormat()), path, form)
        return WrittenTable(read_parquet_folder(path) if path.is_dir() else read_parquet(path))
    except InvalidSequencesError:
        raise
    except Exception as error:  # on a damaged file a parser may raise any exception
        raise InvalidSequencesError(
            f"{path}: the file cannot be read ({type(error).__name__}: {error}). If it is damaged, restore it from a copy."
        ) from error


def is_csv(path: str | Path) -> bool:
    """Return whether a path names a CSV file, compressed or not."""
    return not Path(path).is_dir() and str(path).lower().endswith(CSV_SUFFIXES)


def _noted(frame: pd.DataFrame, separator: str, path: Path, form: CsvFormat | None) -> WrittenTable:
    usual = "\t" if ".tsv" in path.name.lower() else ","
    is_given = form is not None and form.separator is not None
    shown = "tabs" if separator == "\t" else repr(separator)
    notes = [] if is_given or separator == usual else [f"cells are separated by {shown}"]
    return WrittenTable(frame, separator, notes)


def _numbers_where_possible(column: pd.Series, decimal: str) -> pd.Series:
    if not holds_text(column):
        return column
    texts = texts_of_column(column).to_pandas()
    found = read_numbers(column, decimal=decimal)
    named = texts.str.contains(r"^[+-]?0[0-9]", na=False).any() or column.isin(["True", "False"]).any()
    if found.n_read == 0 or found.n_unread or named:
        return column
    return pd.Series(found.values, index=column.index, name=column.name)
