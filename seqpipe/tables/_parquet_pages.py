"""What the pages of a Parquet file would unpack to, from its metadata and the headers of all pages.

Run-length codes and dictionaries let a few bytes stand for any number of values. Every page states its number of values
in its header, and readers decode no more than that, although the metadata at the end of the file may say otherwise. So
the headers are read, and the metadata is held to them, before anything is unpacked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._memory_limit import MAX_COLUMNS, TableBudget
from seqpipe.tables._parquet_lengths import check_lengths
from seqpipe.tables._thrift import EndOfData, read_struct

__all__ = ["Column", "read_columns"]

_MAGIC = b"PAR1"
_DATA, _DICTIONARY, _DATA_2 = 0, 2, 3
_INT96, _BYTE_ARRAY, _FIXED = 3, 6, 7
_REQUIRED, _REPEATED = 0, 2
_BY_DICTIONARY, _BY_LENGTH, _BY_PREFIX = (2, 8), 6, 7
_CODECS = {0: "", 1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4_raw"}
#: Bytes that a value of any type takes at least, once it is a number of a table or the offset of a text.
_LEAST = 8
#: Bytes of a value of each type in a page, at least; those of _FIXED are in the schema.
_WIDTHS = {0: 0, 1: 4, 2: 8, _INT96: 12, 4: 4, 5: 8, _BYTE_ARRAY: 4}
_MOST_NESTED = 64
#: Bytes read at first for a header, and the size that a header may have.
_WINDOW, _MOST_HEADER = 512, 2**24
#: Size up to which dictionaries are unpacked to find their longest entry.
_MOST_DICTIONARY = 2**24


@dataclass
class Column:
    """What the pages of a column in one group of rows state.

    Attributes
    ----------
    place : int
        Position of the column of the table that it is a part of.
    nested : bool
        Whether a row may have any number of values.
    n_bytes : int
        Bytes that its values take for certain, without those of repeated texts.
    n_repeated : int
        Number of values that may repeat a text of ``longest`` bytes.
    longest : int
        Bytes of the longest text that its pages may repeat, or more.
    """

    place: int
    nested: bool
    n_bytes: int = 0
    n_repeated: int = 0
    longest: int = 0
    _dictionary: tuple[int, int, int, str] | None = field(default=None, repr=False)

    @property
    def repeated_bytes(self) -> int:
        """Bytes that its repeated texts take at most."""
        return self.n_repeated * self.longest

    def tighten(self, file: BinaryIO) -> None:
        """Set ``longest`` to the length of the longest entry of the dictionary, where that is known."""
        if self._dictionary is None:
            return
        start, packed, unpacked, codec = self._dictionary
        if unpacked > _MOST_DICTIONARY:
            return
        file.seek(start)
        data = file.read(packed)
        with suppress(pa.ArrowException):  # pyarrow reports damage when it reads the page
            if codec:
                data = pa.decompress(data, decompressed_size=unpacked, codec=codec, asbytes=True)
            self.longest = _longest_entry(data)


@dataclass(frozen=True)
class _Leaf:
    """A column of the schema that has values, and the column of the table that it is a part of."""

    name: str
    place: int
    kind: int
    width: int
    nested: bool
    has_definitions: bool


@dataclass
class _File:
    """An open file of ``size`` bytes, the memory for its table, and the ``n_bytes`` that it needs as far as it is known."""

    raw: BinaryIO
    path: Path
    size: int
    budget: TableBudget
    n_bytes: int = 0


def read_columns(raw: BinaryIO, path: Path, budget: TableBudget) -> list[Column]:
    """Return the columns of all groups of rows of a Parquet file, and take what they need for certain from the budget.

    Raises
    ------
    InvalidSequencesError
        If the metadata is damaged, or contradicts the headers of the pages, or the budget is exceeded; the message names
        ``path``.
    """
    size = raw.seek(0, 2)
    file = _File(raw, path, size, budget)
    try:
        metadata = _footer(raw, size)
        leaves = list(_leaves(metadata[2]))
        groups = metadata[4]
        _check(sum(group[3] for group in groups) == metadata[3], "its numbers of rows contradict each other")
        chunks = [chunk[3] for group in groups for chunk in group[1]]
        _check(sum(chunk[7] for chunk in chunks) <= size, "its columns overlap")
        columns = [column for group in groups for column in _of_group(file, leaves, group)]
    except InvalidSequencesError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = str(error) if isinstance(error, ValueError) else "its metadata is malformed"
        raise InvalidSequencesError(
            f"{path}: the file is damaged, or not Parquet: {what}. Restore it from a copy, or write it again."
        ) from error
    budget.take(file.n_bytes, path)
    return columns


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _footer(file: BinaryIO, size: int) -> dict[int, Any]:
    """Return the struct FileMetaData of Parquet's specification, by field id."""
    _check(size >= 12, "it ends early")
    file.seek(size - 8)
    ending = file.read(8)
    _check(ending[4:] == _MAGIC, "it does not end with PAR1")
    length = int.from_bytes(ending[:4], "little")
    _check(length <= size - 12, "its metadata is longer than the file")
    file.seek(size - 8 - length)
    return read_struct(file.read(length))[0]


def _leaves(schema: list[dict[int, Any]]) -> Iterator[_Leaf]:
    """Yield the columns with values; the schema lists its nodes, parents first."""
    _check(0 < len(schema) <= MAX_COLUMNS, f"it declares {len(schema) - 1:,} columns. The limit is {MAX_COLUMNS:,}")
    # of each node above: children to come, path, whether repeated, whether optional or repeated
    open_nodes: list[list[Any]] = [[schema[0].get(5, 0), "", False, False]]
    place = -1
    for node in schema[1:]:
        while open_nodes and open_nodes[-1][0] == 0:
            open_nodes.pop()
        _check(0 < len(open_nodes) <= _MOST_NESTED, f"its schema is not a tree of up to {_MOST_NESTED} levels")
        open_nodes[-1][0] -= 1
        _, above, nested, defined = open_nodes[-1]
        place += len(open_nodes) == 1
        name = f"{above}.{node[4].decode(errors='replace')}".removeprefix(".")
        nested, defined = nested or node.get(3) == _REPEATED, defined or node.get(3, _REQUIRED) != _REQUIRED
        if node.get(5):
            open_nodes.append([node[5], name, nested, defined])
        else:
            width = node[2] if node[1] == _FIXED else _WIDTHS[node[1]]
            yield _Leaf(name, place, node[1], width, nested, defined)
    _check(all(node[0] == 0 for node in open_nodes), "its schema is not complete")


def _of_group(file: _File, leaves: list[_Leaf], group: dict[int, Any]) -> Iterator[Column]:
    n_rows = group[3]
    _check(len(group[1]) == len(leaves), f"it has {len(group[1])} columns where its schema has {len(leaves)}")
    for leaf, chunk in zip(leaves, group[1]):
        _check(not chunk.get(1), f"column {leaf.name!r} is in another file")
        _check(8 not in chunk and 9 not in chunk, f"column {leaf.name!r} is encrypted")
        column, n_values = _of_chunk(file, leaf, chunk[3])
        fits = n_values >= n_rows if leaf.nested else n_values == n_rows
        _check(fits, f"it declares {n_rows} rows but has {n_values} values in column {leaf.name!r}")
        yield column


def _of_chunk(file: _File, leaf: _Leaf, chunk: dict[int, Any]) -> tuple[Column, int]:
    """Return what the pages of a column state, and their number of values."""
    _check(chunk[1] == leaf.kind, f"column {leaf.name!r} has another type than in the schema")
    column, n_values = Column(leaf.place, leaf.nested), 0
    for header, start in _pages(file, chunk):
        if header[1] == _DICTIONARY:
            _check(n_values == 0 and not column.longest, f"column {leaf.name!r} has several dictionaries")
            _check(0 <= header[7][1] * leaf.width <= header[2], f"a dictionary of column {leaf.name!r} ends early")
            _add(file, column, header[2])
            if leaf.kind == _BYTE_ARRAY:
                _add_dictionary(column, header, start, chunk[4])
        elif header[1] in (_DATA, _DATA_2):
            page = header[5 if header[1] == _DATA else 8]
            _check(page[1] >= 0, f"column {leaf.name!r} has a page of {page[1]} values")
            n_values += page[1]
            _add(file, column, header[2] + page[1] * max(leaf.width, _LEAST))
            encoding = page[2 if header[1] == _DATA else 4]
            if leaf.kind == _BYTE_ARRAY:
                _add_texts(column, page[1], encoding=encoding, unpacked=header[2])
            if encoding in (_BY_LENGTH, _BY_PREFIX):
                _check_lengths(file, leaf, header, start, chunk[4])
    return column, n_values


def _add(file: _File, column: Column, n_bytes: int) -> None:
    column.n_bytes += n_bytes
    file.n_bytes += n_bytes


def _add_dictionary(column: Column, header: dict[int, Any], start: int, codec: int) -> None:
    column.longest = header[2]
    if codec in _CODECS:
        column._dictionary = (start, header[3], header[2], _CODECS[codec])


def _add_texts(column: Column, n: int, *, encoding: int, unpacked: int) -> None:
    if encoding in _BY_DICTIONARY:
        column.n_repeated += n
    elif encoding == _BY_PREFIX:  # each text repeats the beginning of the one before
        column.n_repeated += n
        column.longest, column._dictionary = max(column.longest, unpacked), None


def _check_lengths(file: _File, leaf: _Leaf, header: dict[int, Any], start: int, codec: int) -> None:
    _check(codec in _CODECS, f"column {leaf.name!r} has lengths that are packed in an old way")
    if file.n_bytes > file.budget.left:  # nothing is unpacked, not even to check it
        file.budget.take(file.n_bytes, file.path)
    file.raw.seek(start)
    check_lengths(
        file.raw.read(header[3]),
        header,
        codec=_CODECS[codec],
        has_repetitions=leaf.nested,
        has_definitions=leaf.has_definitions,
    )


def _pages(file: _File, chunk: dict[int, Any]) -> Iterator[tuple[dict[int, Any], int]]:
    """Yield the headers of the pages of a column, and where their contents start."""
    if chunk[5] == 0:  # without values, writers leave offsets unset, and readers read no page
        return
    first = chunk[9]
    position = chunk[11] if 0 < chunk.get(11, 0) < first else first
    end = position + chunk[7]
    _check(0 <= position <= end <= file.size, "its columns are outside of the file")
    while position < end:
        header, start = _header(file.raw, position)
        _check(header[2] >= 0 and header[3] >= 0, "a page has a negative size")
        position = start + header[3]
        _check(position <= file.size, "a page is longer than the file")
        yield header, start


def _header(file: BinaryIO, position: int) -> tuple[dict[int, Any], int]:
    window = _WINDOW
    while True:
        file.seek(position)
        data = file.read(window)
        try:
            header, length = read_struct(data)
        except EndOfData:
            if len(data) < window or window > _MOST_HEADER:
                raise
            window *= 32
            continue
        return header, position + length


def _longest_entry(data: bytes) -> int:
    """Return the length of the longest text of a dictionary, each of which follows its length in four bytes."""
    longest = position = 0
    while position + 4 <= len(data):
        length = int.from_bytes(data[position : position + 4], "little")
        longest = max(longest, length)
        position += 4 + length
    return longest
