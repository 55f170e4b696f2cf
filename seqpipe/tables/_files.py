"""Tables out of CSV and Parquet files; a file that is broken is refused with the place, never half read."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from seqpipe.exceptions import InvalidSequencesError

__all__ = ["read_table"]

#: Characters of one CSV cell, and values of one Parquet file: more is taken for damage, or for an attack.
MAX_CELL = 2**20
MAX_VALUES = 2**30

#: How a number that is not there is often written. In a column of text they are words, such as a label "None".
_NO_NUMBER = ("#N/A", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null")

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_table(path: str | Path) -> pd.DataFrame:
    """Return the table in a file, by its suffix.

    Parameters
    ----------
    path : str or Path
        A ``.csv`` file (UTF-8 with or without byte order mark, commas, one header line) or a ``.parquet``
        file.

    Returns
    -------
    DataFrame of shape (n_rows, n_columns)
        From CSV, the index is named "line" and says in which line of the file a row begins, so that whatever
        is wrong with a row is found there; an empty cell is missing, and so is "NA", "NaN", "null", "None" or
        "N/A" in a column whose other cells are numbers, while text keeps such words. From Parquet, the index
        counts rows from 0, stored indices are columns, and columns of lists keep Arrow's memory:
        :func:`sequences_from_arrow` takes them without a copy.

    Raises
    ------
    InvalidSequencesError
        If the file is missing, empty, damaged or of another kind, two columns share a name, or a CSV row has
        another number of cells than the header, a NUL byte, or a cell of more than 1 MB; names the file and
        the line.
    """
    path = Path(path)
    readers = {".csv": _read_csv, ".parquet": _read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InvalidSequencesError(
            f"{path}: tables are read from files that end in {sorted(readers)}. Got {path.suffix!r} instead."
        )
    try:
        return reader(path)
    except InvalidSequencesError:
        raise
    except FileNotFoundError as error:
        raise InvalidSequencesError(f"{path}: there is no such file.") from error
    except Exception as error:  # a damaged file may make a parser raise anything
        raise InvalidSequencesError(f"{path}: the file cannot be read ({type(error).__name__}: {error}).") from error


def _read_csv(path: Path) -> pd.DataFrame:
    lines = _row_lines(path)
    frame = pd.read_csv(
        path, encoding="utf-8-sig", index_col=False, low_memory=False, keep_default_na=False, na_values=[""]
    )
    for name in frame.columns:
        frame[name] = _numbers_where_possible(frame[name])
    if len(frame) != len(lines):
        raise InvalidSequencesError(f"{path}: {len(lines)} rows stand in the file, but {len(frame)} could be read.")
    frame.index = pd.Index(lines, name="line", dtype="int64")
    return frame


def _numbers_where_possible(column: pd.Series) -> pd.Series:
    """Return a column as numbers if all its cells are, but for words that stand for a missing one."""
    words = column.isin(_NO_NUMBER)
    if not words.any():
        return column
    numbers = pd.to_numeric(column.mask(words), errors="coerce")
    read = numbers.notna()
    return numbers if read.any() and (read | words | column.isna()).all() else column


def _row_lines(path: Path) -> list[int]:
    """Return the line on which each row begins, having checked the form of every row."""
    lines: list[int] = []
    header: list[str] = []
    limit = csv.field_size_limit(MAX_CELL)
    try:
        with path.open("rb") as file:
            for line, row in _rows(path, file):
                if header:
                    _check_width(path, line, row, header)
                    lines.append(line)
                else:
                    header = row
                    _check_names(f"{path}:{line}", header)
    finally:
        csv.field_size_limit(limit)
    if not header:
        raise InvalidSequencesError(f"{path}: the file is empty. It needs a line of column names, then one line a row.")
    return lines


def _rows(path: Path, file: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    """Give the rows that are not blank, each with the line it begins on, counted from 1."""
    reader = csv.reader(_text_lines(path, file), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InvalidSequencesError(
                f"{path}:{line}: the row is malformed ({error}). A cell holds up to {MAX_CELL} characters; "
                "quotes that are opened must be closed."
            ) from error
        blank = not row or (len(row) == 1 and row[0].isspace())
        if not blank:
            yield line, row


def _text_lines(path: Path, file: BinaryIO) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidSequencesError(
                f"{path}:{number}: the line is not UTF-8 ({error.reason}). Save it as UTF-8."
            ) from error
        if "\0" in text:
            raise InvalidSequencesError(f"{path}:{number}: the line holds a NUL byte. The file is damaged, or no CSV.")
        yield text


def _check_width(path: Path, line: int, row: list[str], header: list[str]) -> None:
    if len(row) != len(header):
        raise InvalidSequencesError(
            f"{path}:{line}: the row has {len(row)} cell(s) where the header has {len(header)}. Give it as "
            "many; a comma inside a cell needs quotes around the cell."
        )


def _check_names(place: str, names: list[str]) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise InvalidSequencesError(f"{place}: the columns {twice} stand more than once. Rename them.")


def _read_parquet(path: Path) -> pd.DataFrame:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        # nothing is asked of single columns: where their metadata is damaged, that aborts the process
        claimed, width = file.metadata.num_rows, file.metadata.num_columns
        if claimed * width > MAX_VALUES:
            raise InvalidSequencesError(
                f"{path}: the file claims {claimed} rows of {width} values, more than the {MAX_VALUES} "
                "values that are read at once. Split it."
            )
        table = file.read()
    if table.num_rows != claimed:
        raise InvalidSequencesError(f"{path}: the file claims {claimed} rows and has {table.num_rows}. It is damaged.")
    _check_names(str(path), table.column_names)
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, types_mapper=_list_type)
    return frame


def _list_type(kind: pa.DataType) -> pd.ArrowDtype | None:
    return pd.ArrowDtype(kind) if pa.types.is_nested(kind) else None
