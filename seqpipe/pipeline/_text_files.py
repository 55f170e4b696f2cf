"""Reading and writing of text files: one text per line, or one long text."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any

import pandas as pd

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import check_fingerprint, check_regular

__all__ = ["is_text_file", "read_lines", "read_passages", "write_lines"]

#: Minimum number of passages of a text, and the maximum length of a passage before the end of its last word.
_FEWEST, _LONGEST = 10, 1000

_OTHER_ENCODINGS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


def is_text_file(path: str | Path) -> bool:
    """Return whether a file holds texts: its suffix is .txt."""
    return Path(path).suffix.lower() == ".txt"


def read_lines(path: str | Path, column: str) -> pd.DataFrame:
    """Return the lines of a UTF-8 file as a table of one column, with an index named "line" that counts from 1.

    A line ends with LF, CRLF or CR. Blank lines are empty texts; trailing blank lines are skipped.

    Raises
    ------
    InvalidSequencesError
        If the file is missing, is not UTF-8, contains a NUL byte or no text; the message names the line.
    """
    lines = [line if line.strip() else "" for line in _text(path).split("\n")]
    while not lines[-1]:
        del lines[-1]
    return pd.DataFrame({column: lines}, index=pd.RangeIndex(1, len(lines) + 1, name="line"))


def read_passages(path: str | Path, column: str) -> pd.DataFrame:
    """Return a UTF-8 file as one long text in passages; joined, they are the text, with LF line endings.

    The table has one column, and an index named "line" with the line on which a passage begins.

    Raises
    ------
    InvalidSequencesError
        If the file is missing, is not UTF-8, contains a NUL byte or no text; the message names the line.
    """
    text = _text(path)
    found = list(_passage(text).finditer(text))
    ends = [text.count("\n", each.start(), each.end()) for each in found]
    lines = pd.Series([1, *ends[:-1]]).cumsum()
    return pd.DataFrame({column: [each.group() for each in found]}, index=pd.Index(lines, name="line"))


def _passage(text: str) -> re.Pattern[str]:
    """Return the pattern of a passage: a line with the blank lines after it, or part of a long line, up to a space."""
    length = min(_LONGEST, max(1, len(text) // _FEWEST))
    return re.compile(rf"\s*\S[^\n]{{0,{length - 1}}}(?:\S{{0,{_LONGEST}}}(?:\s+|\Z))?")


def write_lines(frame: pd.DataFrame, path: str | Path) -> None:
    """Write the column "prediction", one per line; tokens are separated by spaces, missing predictions are blank lines.

    Raises
    ------
    InvalidSequencesError
        If the table has no such column, or a text has more than one line.
    """
    if "prediction" not in frame:
        raise InvalidSequencesError(
            f"{path}: a text file holds one prediction per line, but there are {', '.join(map(str, frame.columns))}: "
            "write a .csv or .parquet file."
        )
    lines = [_as_line(each) for each in frame["prediction"]]
    broken = next((row for row, line in enumerate(lines) if "\n" in line or "\r" in line), None)
    if broken is not None:
        raise InvalidSequencesError(
            f"{path}: prediction {broken} has more than one line, {lines[broken]!r}: write a .csv or .parquet file."
        )
    Path(path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _as_line(prediction: Any) -> str:
    if isinstance(prediction, list):
        return " ".join(map(str, prediction))
    return "" if pd.isna(prediction) else str(prediction)


def _text(path: str | Path) -> str:
    """Return the contents of a file, with LF line endings."""
    try:
        check_regular(Path(path))
        content = Path(path).read_bytes()
        check_fingerprint(Path(path))
    except OSError as error:
        raise InvalidSequencesError(f"{path}: the file cannot be read: {error.strerror}.") from error
    encoding = next((name for mark, name in _OTHER_ENCODINGS.items() if content.startswith(mark)), None)
    if encoding is not None:
        raise InvalidSequencesError(f"{path}: the file is {encoding}, not UTF-8. Save it as UTF-8.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = _line_at(content[: error.start].decode("utf-8-sig"))
        raise InvalidSequencesError(
            f"{path}:{line}: the line is not UTF-8, {content[error.start : error.start + 1]!r} ({error.reason}). Save "
            "the file as UTF-8."
        ) from error
    if "\0" in text:
        line = _line_at(text[: text.index("\0")])
        raise InvalidSequencesError(f"{path}:{line}: the line contains a NUL byte. The file is damaged, or not text.")
    if not text.strip():
        raise InvalidSequencesError(f"{path}: the file contains no text.")
    return _with_plain_ends(text)


def _line_at(text_before: str) -> int:
    return _with_plain_ends(text_before).count("\n") + 1


def _with_plain_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
