"""Schemas of attributes."""

from __future__ import annotations

import math
import numbers
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqpipe.saved._outline import ArrayOutline, FunctionOutline, ObjectOutline, TypeOutline

__all__ = [
    "LONGEST",
    "AnyOf",
    "ArrayOf",
    "Entries",
    "Flag",
    "Function",
    "Instance",
    "Items",
    "Nothing",
    "Number",
    "Schema",
    "StateError",
    "SubclassOf",
    "TextOf",
    "Whole",
    "optional",
]

#: The longest sequence, window or text that a saved parameter may ask for, in time steps or tokens.
LONGEST = 1_000_000
_LARGEST = 2**31 - 1
_SHOWN = 60


class StateError(ValueError):
    """A state that violates its schema; the message names the attribute."""


class Schema(ABC):
    """What a value may be; values are Python's plain types, numpy's arrays and scalars, and outlines."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What the value must be, in words."""

    @abstractmethod
    def suits(self, value: Any) -> bool:
        """Return whether the value itself is allowed, regardless of what it contains."""

    def check_inside(self, value: Any, place: str) -> None:  # noqa: B027  # most values contain nothing
        """Check what a suitable value contains."""

    def check(self, value: Any, place: str) -> None:
        """Check a value that errors call ``place``.

        Raises
        ------
        StateError
            If the value or something in it is not allowed.
        """
        if not self.suits(value):
            shown = repr(value)
            shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
            raise StateError(f"{place} must be {self.words}. Got {shown} instead.")
        self.check_inside(value, place)


@dataclass(frozen=True)
class Nothing(Schema):
    """None."""

    words = "None"

    def suits(self, value: Any) -> bool:
        """Return whether the value is None."""
        return value is None


@dataclass(frozen=True)
class Flag(Schema):
    """True or False."""

    words = "True or False"

    def suits(self, value: Any) -> bool:
        """Return whether the value is a truth value."""
        return isinstance(value, bool | np.bool_)


@dataclass(frozen=True)
class Whole(Schema):
    """An integer in a range."""

    low: int = 0
    high: int = _LARGEST

    @property
    def words(self) -> str:
        """The range in words."""
        return f"an integer from {self.low} to {self.high}"

    def suits(self, value: Any) -> bool:
        """Return whether the value is an integer in the range."""
        return (
            isinstance(value, numbers.Integral) and not isinstance(value, bool) and self.low <= int(value) <= self.high
        )


@dataclass(frozen=True)
class Number(Schema):
    """A real number in a range; ``finite=False`` allows NaN and infinity."""

    low: float = -math.inf
    high: float = math.inf
    finite: bool = True

    @property
    def words(self) -> str:
        """The range in words."""
        bounds = "" if (self.low, self.high) == (-math.inf, math.inf) else f" from {self.low:g} to {self.high:g}"
        return f"a {'finite ' if self.finite else ''}number{bounds}"

    def suits(self, value: Any) -> bool:
        """Return whether the value is a number in the range."""
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            return False
        try:
            number = float(value)
        except OverflowError:  # an integer beyond the largest float
            return False
        return self.low <= number <= self.high if math.isfinite(number) else not self.finite


@dataclass(frozen=True)
class TextOf(Schema):
    """A string: one of several, one that matches a pattern, or any of limited length."""

    among: tuple[str, ...] = ()
    pattern: str = ""
    most: int = 1000

    @property
    def words(self) -> str:
        """The allowed strings in words."""
        if self.among:
            return f"one of {list(self.among)}"
        return f"a text of at most {self.most} characters" + (f" that matches {self.pattern}" if self.pattern else "")

    def suits(self, value: Any) -> bool:
        """Return whether the value is such a string."""
        if not isinstance(value, str) or len(value) > self.most:
            return False
        return value in self.among if self.among else not self.pattern or bool(re.fullmatch(self.pattern, value))


@dataclass(frozen=True)
class ArrayOf(Schema):
    """An array of numbers, texts or times: kinds of its data type, as in numpy, and its number of dimensions."""

    kinds: str = "f"
    ndim: int | None = None

    @property
    def words(self) -> str:
        """Kinds and dimensions in words."""
        return f"an array of kind {self.kinds!r}" + ("" if self.ndim is None else f" with {self.ndim} dimension(s)")

    def suits(self, value: Any) -> bool:
        """Return whether the value is such an array."""
        if not isinstance(value, ArrayOutline | np.ndarray):
            return False
        return value.dtype.kind in self.kinds and self.ndim in (None, len(value.shape))

    def check_inside(self, value: Any, place: str) -> None:
        """Check that objects are labels: texts and numbers."""
        if value.dtype.kind == "O":
            for i, item in enumerate(value.items if isinstance(value, ArrayOutline) else value.ravel()):
                _LABEL.check(item, f"{place}[{i}]")


@dataclass(frozen=True)
class AnyOf(Schema):
    """A value that suits one of several schemas."""

    options: tuple[Schema, ...]

    @property
    def words(self) -> str:
        """The alternatives in words."""
        return " or ".join(dict.fromkeys(each.words for each in self.options)) or "absent"

    def suits(self, value: Any) -> bool:
        """Return whether the value suits one of the schemas."""
        return any(each.suits(value) for each in self.options)

    def check_inside(self, value: Any, place: str) -> None:
        """Check what it contains by the schemas that it suits; one of them must accept it."""
        *others, last = [each for each in self.options if each.suits(value)]
        for each in others:
            try:
                return each.check_inside(value, place)
            except StateError:
                continue
        last.check_inside(value, place)


def optional(*options: Schema) -> AnyOf:
    """Return the schema of a value that suits one of several schemas, or is None."""
    return AnyOf((*options, Nothing()))


_LABEL = optional(TextOf(most=100_000), Flag(), Number(finite=False))


@dataclass(frozen=True)
class Items(Schema):
    """A list or tuple of values of one schema."""

    each: Schema
    most: int = LONGEST
    fewest: int = 0

    @property
    def words(self) -> str:
        """Kind and number of items in words."""
        return f"a list or tuple of {self.fewest} to {self.most} items"

    def suits(self, value: Any) -> bool:
        """Return whether the value is a list or tuple of such a length."""
        return type(value) in (list, tuple) and self.fewest <= len(value) <= self.most

    def check_inside(self, value: Any, place: str) -> None:
        """Check each item."""
        for i, item in enumerate(value):
            self.each.check(item, f"{place}[{i}]")


@dataclass(frozen=True)
class Entries(Schema):
    """A dict with keys that are short texts, and values of one schema."""

    each: Schema
    most: int = 100_000

    @property
    def words(self) -> str:
        """Kind and number of entries in words."""
        return f"a dict with at most {self.most} entries named by texts"

    def suits(self, value: Any) -> bool:
        """Return whether the value is such a dict."""
        short = TextOf()
        return isinstance(value, dict) and len(value) <= self.most and all(map(short.suits, value))

    def check_inside(self, value: Any, place: str) -> None:
        """Check each value."""
        for name, item in value.items():
            self.each.check(item, f"{place}[{name!r}]")


@dataclass(frozen=True, init=False)
class Instance(Schema):
    """An object of one of several classes, which is checked by the schema of its own class."""

    kinds: tuple[type, ...]

    def __init__(self, *kinds: type) -> None:
        object.__setattr__(self, "kinds", kinds)

    @property
    def words(self) -> str:
        """The classes in words."""
        return " or ".join(f"an object of {kind.__name__}" for kind in self.kinds)

    def suits(self, value: Any) -> bool:
        """Return whether the value is such an object."""
        return issubclass(value.kind if isinstance(value, ObjectOutline) else type(value), self.kinds)


@dataclass(frozen=True, init=False)
class SubclassOf(Schema):
    """A class that is one of several classes, or derived from one."""

    kinds: tuple[type, ...]

    def __init__(self, *kinds: type) -> None:
        object.__setattr__(self, "kinds", kinds)

    @property
    def words(self) -> str:
        """The classes in words."""
        return " or ".join(f"a subclass of {kind.__name__}" for kind in self.kinds)

    def suits(self, value: Any) -> bool:
        """Return whether the value is such a class."""
        kind = value.kind if isinstance(value, TypeOutline) else value
        return isinstance(kind, type) and issubclass(kind, self.kinds)


@dataclass(frozen=True)
class Function(Schema):
    """A function: its name begins with one of several prefixes."""

    prefixes: tuple[str, ...]

    @property
    def words(self) -> str:
        """The prefixes in words."""
        return f"a function of {' or '.join(self.prefixes)}"

    def suits(self, value: Any) -> bool:
        """Return whether the value is such a function."""
        return isinstance(value, FunctionOutline) and value.name.startswith(self.prefixes)
