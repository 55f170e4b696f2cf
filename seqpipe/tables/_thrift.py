"""Reading of structs in Thrift's compact protocol, in which Parquet files describe themselves.

pyarrow's own objects for this metadata end the process where it is damaged, and do not show the headers of pages.
"""

from __future__ import annotations

from typing import Any

__all__ = ["EndOfData", "read_struct"]

_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS = (4, 5, 6)
_MOST_NESTED = 32
_MOST_BITS = 70


class EndOfData(ValueError):
    """The data ends within a struct."""


def read_struct(data: bytes, start: int = 0) -> tuple[dict[int, Any], int]:
    """Return the struct at a position: its values by field id, and the position after it.

    Raises
    ------
    EndOfData
        If the data ends within it.
    ValueError
        If it is no such struct.
    """
    reader = _Reader(data, start)
    try:
        return reader.struct(0), reader.position
    except IndexError as error:
        raise EndOfData("the metadata ends early") from error


class _Reader:
    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position

    def struct(self, depth: int) -> dict[int, Any]:
        if depth > _MOST_NESTED:
            raise ValueError(f"the metadata is nested more than {_MOST_NESTED} deep")
        found: dict[int, Any] = {}
        field = 0
        while (head := self.byte()) != _STOP:
            kind = head & 15
            field = field + (head >> 4) if head >> 4 else self.integer()
            if field in found:
                raise ValueError(f"the metadata has field {field} twice")
            found[field] = kind == _TRUE if kind in (_TRUE, _FALSE) else self.value(kind, depth)
        return found

    def value(self, kind: int, depth: int) -> Any:
        if kind in _INTEGERS:
            return self.integer()
        if kind == _BINARY:
            return self.take(self.varint())
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_LIST, _SET):
            return self.items(depth)
        if kind in (_TRUE, _FALSE):  # in a list; a field has its value in its head
            return self.byte() == _TRUE
        if kind == _BYTE:
            return self.byte()
        if kind == _DOUBLE:
            return self.take(8)
        if kind == _MAP:
            return self.pairs(depth)
        raise ValueError(f"the metadata has a value of the unknown type {kind}")

    def items(self, depth: int) -> list[Any]:
        head = self.byte()
        size = head >> 4 if head >> 4 != 15 else self.varint()
        if size > len(self.data) - self.position:  # each item has at least one byte
            raise EndOfData("the metadata ends early")
        return [self.value(head & 15, depth) for _ in range(size)]

    def pairs(self, depth: int) -> list[tuple[Any, Any]]:
        size = self.varint()
        kinds = self.byte() if size else 0
        if size > len(self.data) - self.position:
            raise EndOfData("the metadata ends early")
        return [(self.value(kinds >> 4, depth), self.value(kinds & 15, depth)) for _ in range(size)]

    def integer(self) -> int:
        number = self.varint()
        return (number >> 1) ^ -(number & 1)

    def varint(self) -> int:
        data, position = self.data, self.position
        number = shift = 0
        while True:
            byte = data[position]
            position += 1
            number |= (byte & 127) << shift
            if byte < 128:
                self.position = position
                return number
            shift += 7
            if shift > _MOST_BITS:
                raise ValueError("the metadata has a number of more than 64 bits")

    def byte(self) -> int:
        found = self.data[self.position]
        self.position += 1
        return found

    def take(self, size: int) -> bytes:
        end = self.position + size
        if end > len(self.data):
            raise EndOfData("the metadata ends early")
        found = self.data[self.position : end]
        self.position = end
        return found
