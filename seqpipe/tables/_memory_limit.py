"""How much memory the table of a file may take: SEQPIPE_MAX_TABLE, else a limit from file size and free memory."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from seqpipe.exceptions import InvalidSequencesError

__all__ = ["MAX_COLUMNS", "TableBudget", "shown_bytes"]

#: Maximum number of columns of a table.
MAX_COLUMNS = 100_000

_VARIABLE = "SEQPIPE_MAX_TABLE"
#: Bytes that any table may take, and bytes per byte of its files.
_ANY, _RATIO = 10**9, 50
_WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kKmMgGtT]?)(?:i?[bB])?\s*")
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


@dataclass
class TableBudget:
    """The memory for one table; every part that is read is taken from it before it is kept.

    Attributes
    ----------
    limit : int
        Bytes that the table may take.
    reason : str
        Where the limit comes from.
    taken : int
        Bytes that were taken.
    """

    limit: int
    reason: str
    taken: int = field(default=0)

    @classmethod
    def of(cls, n_bytes: int) -> TableBudget:
        """Return the budget for files of this size in bytes.

        Raises
        ------
        InvalidSequencesError
            If SEQPIPE_MAX_TABLE is not a number of bytes.
        """
        if written := os.environ.get(_VARIABLE, "").strip():
            return cls(_bytes_of(written), f"which {_VARIABLE} sets")
        usual = max(_ANY, _RATIO * n_bytes)
        available = psutil.virtual_memory().available
        if available < usual:
            return cls(available, "the memory that is available")
        return cls(usual, f"the larger of {shown_bytes(_ANY)} and {_RATIO} times the size of the file")

    @property
    def left(self) -> int:
        """Bytes that remain."""
        return max(self.limit - self.taken, 0)

    def take(self, n_bytes: int, place: str | Path) -> None:
        """Take bytes from the budget.

        Raises
        ------
        InvalidSequencesError
            If there are not as many left; the message names ``place`` and the remedy.
        """
        self.taken += n_bytes
        if self.taken > self.limit:
            raise InvalidSequencesError(
                f"{place}: the table takes {shown_bytes(self.taken)} of memory or more. The limit is "
                f"{shown_bytes(self.limit)}, {self.reason}. If you trust the file and have the memory, set {_VARIABLE} "
                f"to a larger number of bytes, such as {_VARIABLE}={-(-self.taken // 10**9) + 1}GB; else split it."
            )


def shown_bytes(number: int) -> str:
    """Return a number of bytes with a unit, such as "1.1 GB"."""
    for size, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if number >= size:
            return f"{number / size:,.1f} {unit}"
    return f"{number} bytes"


def _bytes_of(written: str) -> int:
    found = _WRITTEN.fullmatch(written)
    if found is None or (number := int(float(found[1]) * _UNITS[found[2].lower()])) <= 0:
        raise InvalidSequencesError(
            f"{_VARIABLE} must be a positive number of bytes, such as 8GB or 500MB. Got {written!r} instead."
        )
    return number
