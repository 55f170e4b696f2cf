"""The numbers of lengths in pages whose texts are encoded as DELTA_LENGTH_BYTE_ARRAY or DELTA_BYTE_ARRAY.

Such a page begins with the lengths of its texts, packed as differences, and states their number itself. pyarrow makes room
for as many lengths, even if the header of the page states fewer values: some hundred bytes could take gigabytes.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

__all__ = ["check_lengths"]

_DELTA_BYTE_ARRAY, _RLE = 7, 3
_AHEAD = 4  # bytes with the length of levels


def check_lengths(
    data: bytes, header: dict[int, Any], *, codec: str, has_repetitions: bool, has_definitions: bool
) -> None:
    """Raise `ValueError` if a page has more lengths than values.

    Parameters
    ----------
    data : bytes
        The page as stored.
    header : dict
        Its header, by field id.
    codec : str
        Name of its compression; empty for none.
    has_repetitions, has_definitions : bool
        Which levels of nesting come before the lengths.
    """
    if 5 in header:
        page = header[5]
        encoding, data, position = page[2], _unpacked(data, header[2], codec), 0
        for is_there, kind in ((has_repetitions, page[4]), (has_definitions, page[3])):
            if is_there:
                _check(kind == _RLE, "has levels of an old encoding")
                position += _AHEAD + int.from_bytes(data[position : position + _AHEAD], "little")
    else:
        page = header[8]
        encoding, ahead = page[4], page[5] + page[6]
        _check(0 <= ahead <= header[2] and ahead <= len(data), "has levels beyond its end")
        data, position = _unpacked(data[ahead:], header[2] - ahead, codec if page.get(7, True) else ""), 0
    numbers = _Numbers(data, position)
    for _ in range(2 if encoding == _DELTA_BYTE_ARRAY else 1):  # of the repeated beginnings, and of the rest
        _check(numbers.skip_deltas(page[1]) <= page[1], "has more lengths than values")


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(f"a page {otherwise}")


def _unpacked(data: bytes, size: int, codec: str) -> bytes:
    try:
        return pa.decompress(data, decompressed_size=size, codec=codec, asbytes=True) if codec else data
    except (OSError, pa.ArrowException) as error:
        raise ValueError("a page cannot be unpacked") from error


class _Numbers:
    """Numbers of variable length in some bytes, one after the other."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position

    def skip_deltas(self, most: int) -> int:
        """Return how many numbers a block of packed differences states, and go to its end if they are not too many."""
        per_block, n_parts, n = self.next(), self.next(), self.next()
        self.next()  # the first number
        _check(n_parts > 0 and per_block % n_parts == 0, "has lengths that are malformed")
        per_part, left = per_block // n_parts, n - 1
        _check(per_part > 0, "has lengths that are malformed")
        while left > 0 and n <= most:
            self.next()  # the smallest difference
            widths = self.data[self.position : self.position + n_parts]
            _check(len(widths) == n_parts, "ends within its lengths")
            self.position += n_parts
            for width in widths[: -(-left // per_part)]:
                self.position += width * per_part // 8
                left -= per_part
        return n

    def next(self) -> int:
        number = shift = 0
        while True:
            _check(self.position < len(self.data) and shift < 70, "ends within its lengths")
            byte = self.data[self.position]
            self.position += 1
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7
