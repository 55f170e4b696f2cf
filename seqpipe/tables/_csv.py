"""CSV files read as text, with every row validated and the line on which it begins."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.process import Shared, allow_csv_cells
from seqpipe.tables._memory_limit import MAX_COLUMNS, TableBudget, shown_bytes

__all__ = ["CSV_SUFFIXES", "CsvFormat", "check_names", "column_names", "read_csv"]

#: Maximum number of characters of a cell: a longer one is treated as damage, or as an attack.
MAX_CELL = 2**20
_LONG_CELLS = Shared(partial(allow_csv_cells, MAX_CELL))

#: Maximum number of bytes of a line, before its cells are separated.
MAX_LINE = 2**25

#: The usual separator for each suffix, and the others that are tried.
_USUAL = {".csv": ",", ".csv.gz": ",", ".tsv": "\t", ".tsv.gz": "\t"}
_OTHERS = (",", ";", "\t", "|")
CSV_SUFFIXES = tuple(_USUAL)

#: Number of lines used to detect the separator, and of characters after which no further line is.
_SAMPLE, _SAMPLE_CHARACTERS = 50, 2**22

#: Bytes of lines that are taken from the budget at a time, and bytes that each cell takes beside its text.
_STEP, _CELL = 2**20, 8

#: Number of rows held as Python strings at once.
_BLOCK = 20_000

_BYTE_ORDER_MARK = "\ufeff"
#: A first line that declares the separator, as written for Excel.
_ANNOUNCED = re.compile(r"^sep=(.)\r?\n?$", re.IGNORECASE)
#: Integers in the form in which Python writes them.
_WHOLE = r"^(0|-?[1-9][0-9]{0,17})$"


@dataclass(frozen=True)
class CsvFormat:
    """Format of a CSV file; what is not specified is detected from the file.

    Attributes
    ----------
    separator : str or None
        The cell separator, one character.
    decimal : {".", ","} or None
        The decimal mark.
    encoding : str or None
        Name of an encoding known to Python; UTF-8, with or without byte order mark, by default.
    """

    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        if self.separator is not None and (len(self.separator) != 1 or self.separator in '"\r\n'):
            raise InvalidSequencesError(
                f"The separator must be one character, such as ';'. Got {self.separator!r} instead."
            )
        if self.decimal not in (None, ".", ","):
            raise InvalidSequencesError(f"The decimal mark must be '.' or ','. Got {self.decimal!r} instead.")
        if self.decimal is not None and self.decimal == self.separator:
            raise InvalidSequencesError(f"{self.decimal!r} cannot be both separator and decimal mark.")
        _check_encoding(self.encoding)


@dataclass(frozen=True)
class _Dialect:
    separator: str
    skip_blanks: bool  # spaces after the separator
    skip_lines: int  # before the header


def read_csv(path: Path, form: CsvFormat) -> tuple[pd.DataFrame, str]:
    """Return a CSV file as text, and its separator.

    A column of integers in the form in which Python writes them is int64, which loses no information. The index is
    named "line" and holds the line of the file on which a row begins; only empty cells are missing.

    Raises
    ------
    InvalidSequencesError
        If the file is empty or not in its encoding, two columns share a name, or a row has a different number of cells
        than the header, a NUL byte, or a cell of more than 1 MB; or if the table, unpacked from a compressed file, would
        take more memory than the limit. The message names the file and the line.
    """
    with _LONG_CELLS.held():
        dialect = _dialect(path, form)
        names, lines, columns = _read(path, form, dialect)
    cells = {name: _as_integers_if_written_so(column).to_pandas() for name, column in zip(names, columns)}
    return pd.DataFrame(cells).set_axis(pd.Index(lines, name="line", dtype="int64")), dialect.separator


def column_names(names: Sequence[str]) -> list[str]:
    """Return column names in Unicode composed form (NFC); columns without a name are named as pandas names them."""
    return [unicodedata.normalize("NFC", name) or f"Unnamed: {i}" for i, name in enumerate(names)]


def check_names(place: str, names: Sequence[str]) -> None:
    """Raise `InvalidSequencesError` if two columns share a name."""
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise InvalidSequencesError(f"{place}: the column names {twice} occur more than once. Rename them.")


def _check_encoding(encoding: str | None) -> None:
    try:
        "a".encode(encoding or "utf-8")  # `codecs.lookup` also knows codecs between bytes, such as base64
    except (LookupError, ValueError) as error:
        raise InvalidSequencesError(
            f"The encoding {encoding!r} is unknown to Python as one of texts. Common ones are utf-8, latin-1, cp1252 and utf-16."
        ) from error


def _is_utf_8(encoding: str | None) -> bool:
    return codecs.lookup(encoding or "utf-8").name in ("utf-8", "utf-8-sig")


def _opened(path: Path) -> io.BufferedIOBase:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")


def _as_integers_if_written_so(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not len(column) or column.null_count or not pc.all(pc.match_substring_regex(column, _WHOLE)).as_py():
        return column
    return column.cast(pa.int64())


def _dialect(path: Path, form: CsvFormat) -> _Dialect:
    """Detect the format of a file from its first lines; other errors in them are raised later."""
    with _opened(path) as file:
        sample = _sample(_lines(path, file, form, _budget(path)))
    announced = _ANNOUNCED.match(sample[0]) if sample else None
    body = sample[1:] if announced else sample
    usual = next(usual for suffix, usual in _USUAL.items() if path.name.lower().endswith(suffix))
    found = announced[1] if announced else _separator(body, usual)
    separator = form.separator or found
    header = next(iter(_sample_rows(body, separator)), [])
    blanks = len(header) > 1 and all(name.startswith(" ") for name in header[1:])
    return _Dialect(separator, blanks, int(announced is not None))


def _sample(lines: Iterator[str]) -> list[str]:
    sample: list[str] = []
    n_characters = 0
    for line in islice(lines, _SAMPLE):
        sample.append(line)
        n_characters += len(line)
        if n_characters > _SAMPLE_CHARACTERS:
            break
    return sample


def _budget(path: Path) -> TableBudget:
    return TableBudget.of(path.stat().st_size)


def _separator(sample: list[str], usual: str) -> str:
    """Return the separator for which all rows have as many cells as the header, and the most; else the usual one."""
    tried = [usual, *(other for other in _OTHERS if other != usual)]
    rows = {separator: _sample_rows(sample, separator) for separator in tried}
    several = [separator for separator in tried if len(next(iter(rows[separator]), [])) > 1]
    even = [separator for separator in several if len({len(row) for row in rows[separator]}) == 1]
    return max(even or several or [usual], key=lambda separator: len(next(iter(rows[separator]), [])))


def _sample_rows(sample: list[str], separator: str) -> list[list[str]]:
    try:
        rows = [row for row in csv.reader(sample, delimiter=separator) if not _is_blank(row)]
    except csv.Error:
        return []
    # the last row may continue after the sample
    return rows[:-1] if len(sample) == _SAMPLE or sum(map(len, sample)) > _SAMPLE_CHARACTERS else rows


def _read(path: Path, form: CsvFormat, dialect: _Dialect) -> tuple[list[str], list[int], list[pa.ChunkedArray]]:
    """Return the column names, the line on which each row begins, and the columns, after validating every row."""
    lines: list[int] = []
    budget = _budget(path)
    with _opened(path) as file:
        rows = _rows(path, _lines(path, file, form, budget), dialect)
        line, header = next(rows, (0, []))
        if not header:
            raise InvalidSequencesError(
                f"{path}: the file is empty. It needs a header line of column names, then one line per row."
            )
        names = column_names(header)
        check_names(f"{path}:{line}", names)
        if len(names) > MAX_COLUMNS:
            raise InvalidSequencesError(f"{path}: the table has {len(names):,} columns. The limit is {MAX_COLUMNS:,}.")
        chunks: list[list[pa.Array]] = [[] for _ in names]
        for block in _blocks(_checked(path, rows, names, dialect, lines)):
            budget.take(_CELL * len(block) * len(names), path)
            for chunk, cells in zip(chunks, zip(*block)):
                chunk.append(_text_or_missing(cells))
    return names, lines, [pa.chunked_array(chunk, type=pa.large_string()) for chunk in chunks]


def _checked(
    path: Path, rows: Iterator[tuple[int, list[str]]], names: list[str], dialect: _Dialect, lines: list[int]
) -> Iterator[list[str]]:
    """Yield the rows, each as long as the header, and record their lines."""
    for line, row in rows:
        _check_width(path, line, row, names, dialect.separator)
        lines.append(line)
        yield row


def _blocks(rows: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    while block := list(islice(rows, _BLOCK)):
        yield block


def _text_or_missing(cells: tuple[str, ...]) -> pa.Array:
    array = pa.array(cells, type=pa.large_string())
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.large_string()), array)


def _rows(path: Path, lines: Iterator[str], dialect: _Dialect) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with the line on which it begins, counted from 1."""
    for _ in range(dialect.skip_lines):
        next(lines)
    reader = csv.reader(lines, delimiter=dialect.separator, skipinitialspace=dialect.skip_blanks, strict=True)
    while True:
        line = reader.line_num + 1 + dialect.skip_lines
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "new-line character" in str(error):
                raise InvalidSequencesError(
                    f"{path}:{line}: the line has a carriage return without a line feed. If lines end so, as on old Macs, save "
                    "the file with line ends LF or CRLF; if it is part of a cell, put quotes around that."
                ) from error
            raise InvalidSequencesError(
                f"{path}:{line}: the row is malformed ({error}). A cell holds up to {MAX_CELL} characters; "
                "every opening quote needs a closing one."
            ) from error
        if not _is_blank(row):
            yield line, row


def _is_blank(row: list[str]) -> bool:
    return not row or (len(row) == 1 and row[0].isspace())


def _lines(path: Path, file: io.BufferedIOBase, form: CsvFormat, budget: TableBudget) -> Iterator[str]:
    """Yield the lines as text, without byte order mark, and take them from the budget; raise for a NUL byte."""
    read = _utf_8_lines if _is_utf_8(form.encoding) else _decoded_lines
    for number, line in enumerate(read(path, file, form.encoding, budget), start=1):
        if "\0" in line:
            raise InvalidSequencesError(
                f"{path}:{number}: the line contains a NUL byte. The file is damaged, or not CSV."
            )
        yield line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line


def _utf_8_lines(path: Path, file: io.BufferedIOBase, encoding: str | None, budget: TableBudget) -> Iterator[str]:
    n_bytes = 0
    for number, line in enumerate(iter(partial(file.readline, MAX_LINE + 1), b""), start=1):
        n_bytes += len(line)
        if n_bytes > _STEP:
            _check_length(path, number, line)
            budget.take(n_bytes, path)
            n_bytes = 0
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidSequencesError(
                f"{path}:{number}: the line is not UTF-8 ({error.reason}). Save it as UTF-8, or name its encoding under "
                "'data:' in the recipe, such as 'encoding: latin-1' or 'encoding: utf-16'."
            ) from error


def _check_length(path: Path, number: int, line: bytes) -> None:
    if len(line) > MAX_LINE:
        raise InvalidSequencesError(
            f"{path}:{number}: the line has more than {shown_bytes(MAX_LINE)}. The file is damaged, or not CSV."
        )


def _decoded_lines(path: Path, file: io.BufferedIOBase, encoding: str | None, budget: TableBudget) -> Iterator[str]:
    """Decode the whole file at once: in some encodings a newline byte may be part of a character."""
    content = file.read(budget.left + 1)
    budget.take(len(content), path)
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeError as error:
        raise InvalidSequencesError(
            f"{path}: the file is not {encoding} ({error}). Specify the encoding of the file."
        ) from error
    yield from io.StringIO(text, newline="\n")


def _check_width(path: Path, line: int, row: list[str], names: list[str], separator: str) -> None:
    if len(row) == len(names):
        return
    problem = f"{path}:{line}: the row has {len(row)} cell(s) where the header has {len(names)}"
    if len(names) == 1:
        raise InvalidSequencesError(
            f"{problem}, {names[0]!r:.60}. Put quotes around a cell that holds a {separator!r}; if that line does not "
            "hold the column names, remove it."
        )
    raise InvalidSequencesError(
        f"{problem}. All rows need the same number; a cell that contains {separator!r} needs quotes, and a separator "
        f"other than {separator!r} is specified under 'data:' in the recipe, such as 'separator: \";\"'."
    )
