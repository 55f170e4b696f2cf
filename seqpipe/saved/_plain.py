"""Schemas of values without fixed types: plain data, objects without functions, and dicts with fixed names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seqpipe.saved._outline import ArrayOutline, ObjectOutline, TypeOutline
from seqpipe.saved._schema import Schema, StateError

__all__ = ["Inert", "Numbering", "Plain", "Record"]

_SCALARS = (bool, int, float, str, np.generic, type(None))


@dataclass(frozen=True)
class Plain(Schema):
    """Numbers, short texts, None, arrays of numbers, and lists and dicts of these; integers have a limit."""

    longest_text: int = 1000
    largest: int = 2**31 - 1
    texts: bool = True

    @property
    def words(self) -> str:
        """The allowed types in words."""
        texts = f"texts of at most {self.longest_text} characters, " if self.texts else ""
        return f"plain data: numbers (integers up to {self.largest}), {texts}None, arrays, lists and dicts of these"

    def suits(self, value: Any) -> bool:
        """Return whether the value is of an allowed type."""
        if isinstance(value, str):
            return self.texts and len(value) <= self.longest_text
        if isinstance(value, bool | float | np.floating | np.bool_ | type(None)):
            return True
        if isinstance(value, int | np.integer):
            return abs(int(value)) <= self.largest
        if isinstance(value, ArrayOutline | np.ndarray):
            return value.dtype.kind in "biuf"
        return type(value) in (dict, list, tuple)

    def check_inside(self, value: Any, place: str) -> None:
        """Check items and entries."""
        if isinstance(value, dict):
            for name, item in value.items():
                self.check(item, f"{place}[{name!r}]")
        elif isinstance(value, list | tuple):
            for i, item in enumerate(value):
                self.check(item, f"{place}[{i}]")


@dataclass(frozen=True)
class Inert(Schema):
    """Anything but functions: data, classes, and objects that are checked by the schema of their class."""

    words = "data or an estimator, not a function"

    def suits(self, value: Any) -> bool:
        """Return whether the value is not a function."""
        if isinstance(value, _SCALARS):
            return True
        return isinstance(value, ArrayOutline | ObjectOutline | TypeOutline | slice | dict | list | tuple | set)

    def check_inside(self, value: Any, place: str) -> None:
        """Check items and entries."""
        if isinstance(value, dict):
            for name, item in value.items():
                self.check(item, f"{place}[{name!r}]")
        elif isinstance(value, list | tuple | set):
            for i, item in enumerate(value):
                self.check(item, f"{place}[{i}]")
        elif isinstance(value, ArrayOutline):
            for i, item in enumerate(value.items):
                self.check(item, f"{place}[{i}]")


@dataclass(frozen=True)
class Numbering(Schema):
    """A dict of the numbers from 0 on, each once: compiled code writes to the place of each number."""

    words = "a dict whose values are the integers from 0 on, each once"

    def suits(self, value: Any) -> bool:
        """Return whether the value is such a dict."""
        if not isinstance(value, dict) or not all(
            type(each) is int or isinstance(each, np.integer) for each in value.values()
        ):
            return False
        return sorted(map(int, value.values())) == list(range(len(value)))


@dataclass(frozen=True)
class Record(Schema):
    """A dict with fixed names, each with its own schema; those in ``extra`` may be missing."""

    fields: dict[str, Schema]
    extra: dict[str, Schema] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The names in words."""
        return f"a dict with {', '.join(map(repr, self.fields))}"

    def suits(self, value: Any) -> bool:
        """Return whether the value is a dict with these names."""
        return isinstance(value, dict) and self.fields.keys() <= value.keys()

    def check_inside(self, value: Any, place: str) -> None:
        """Check the names, and each value by its schema."""
        schemas = self.fields | self.extra
        for name, item in value.items():
            if name not in schemas:
                raise StateError(f"{place} must not have the entry {name!r}, only {', '.join(schemas)}.")
            schemas[name].check(item, f"{place}[{name!r}]")
