"""Texts one a line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from seqpipe.exceptions import InvalidSequencesError

__all__ = ["is_text_file", "read_lines", "write_lines"]


def is_text_file(path: str | Path) -> bool:
    """Tell whether a file holds texts, one a line: it ends in .txt."""
    return Path(path).suffix.lower() == ".txt"


def read_lines(path: str | Path, column: str) -> pd.DataFrame:
    """Return the lines of a UTF-8 file as a table of one column, its index named "line" and counting from 1.

    Raises
    ------
    InvalidSequencesError
        If the file is missing or no UTF-8, or a line is empty; names the line.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise InvalidSequencesError(f"{path}: there is no such file.") from error
    except UnicodeDecodeError as error:
        raise InvalidSequencesError(f"{path}: the file is no UTF-8 ({error}). Save it as UTF-8.") from error
    lines = [line.rstrip("\r") for line in text.removesuffix("\n").split("\n")]
    empty = next((number for number, line in enumerate(lines, start=1) if not line.strip()), None)
    if empty is not None:
        raise InvalidSequencesError(f"{path}:{empty}: the line is empty. Drop it: each line is a text.")
    return pd.DataFrame({column: lines}, index=pd.RangeIndex(1, len(lines) + 1, name="line"))


def write_lines(frame: pd.DataFrame, path: str | Path) -> None:
    """Write the column "prediction", one a line; a list of tokens with spaces between them.

    Raises
    ------
    InvalidSequencesError
        If the table has no such column, or a text has more than one line.
    """
    if "prediction" not in frame:
        raise InvalidSequencesError(
            f"{path}: a text file holds one prediction a line, but there are {', '.join(map(str, frame.columns))}: write "
            "a .csv or .parquet file."
        )
    lines = [" ".join(map(str, each)) if isinstance(each, list) else str(each) for each in frame["prediction"]]
    broken = next((row for row, line in enumerate(lines) if "\n" in line), None)
    if broken is not None:
        raise InvalidSequencesError(
            f"{path}: prediction {broken} has more than one line, {lines[broken]!r}: write a .csv or .parquet file."
        )
    Path(path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
