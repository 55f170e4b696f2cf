"""What a step computes, column block by column block: no views, no concatenations, no slices are left.

An atom is a value with one row for each sample of the batch and a fixed number of columns. Equal atoms are one object,
so that what forward and backward share is found by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from weakref import WeakValueDictionary

__all__ = [
    "COSTLY", "Atom", "ColumnSum", "Const", "Elementwise", "Input", "Matrix", "OuterSum", "Product", "Reduction", "RowSum", "Vector",
    "arguments", "copy", "elementwise", "product", "row_sum", "split",
]  # fmt: skip

#: Operations that cost a division or more: their results are kept for the backward pass, others are computed again.
COSTLY = {"sigmoid", "tanh", "exp", "log", "sqrt", "rsqrt", "div", "sin", "cos", "erf", "log1p", "expm1", "pow"}


@dataclass(frozen=True)
class Vector:
    """A parameter's columns, the same in every row: ``slot`` of the program's row-free values, from column ``start``."""

    slot: int
    start: int
    width: int


@dataclass(frozen=True)
class Matrix:
    """Rows and columns of a row-free matrix: what a product's right side reads."""

    slot: int
    row: int
    column: int


@dataclass(frozen=True)
class Input:
    """Columns of what a step is given: x, a state before it, or a gradient that comes to it."""

    source: str
    index: int
    start: int
    width: int


@dataclass(frozen=True)
class Const:
    """The same number in every row and column."""

    value: float
    width: int


@dataclass(frozen=True)
class Elementwise:
    """An operation column by column; an argument of width 1 stands for every column."""

    op: str
    args: tuple[Atom | Vector, ...]
    width: int

    @cached_property
    def _hash(self) -> int:
        return hash((self.op, self.args, self.width))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True)
class Product:
    """The sum over ``terms`` of an atom times a matrix of its width rows and ``width`` columns."""

    terms: tuple[tuple[Atom, Matrix], ...]
    width: int

    @cached_property
    def _hash(self) -> int:
        return hash((self.terms, self.width))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True)
class RowSum:
    """The sum over all columns of some atoms: width 1."""

    terms: tuple[Atom, ...]
    width: int = 1

    @cached_property
    def _hash(self) -> int:
        return hash(self.terms)

    def __hash__(self) -> int:
        return self._hash


Atom = Input | Const | Elementwise | Product | RowSum


@dataclass(frozen=True)
class OuterSum:
    """The sum over all rows and steps of ``left``ᵀ ``right``."""

    left: Atom
    right: Atom


@dataclass(frozen=True)
class ColumnSum:
    """The sum over all rows and steps of each column."""

    left: Atom


Reduction = OuterSum | ColumnSum


def arguments(atom: Atom) -> tuple[Atom, ...]:
    """Return the atoms that an atom is computed from."""
    if isinstance(atom, Elementwise):
        return tuple(a for a in atom.args if not isinstance(a, Vector))
    if isinstance(atom, Product):
        return tuple(a for a, _ in atom.terms)
    return atom.terms if isinstance(atom, RowSum) else ()


def split(atom: Atom, start: int, width: int) -> Atom:
    """Return ``width`` columns of an atom, from ``start``: the slice is pushed up to where its columns come from."""
    if start == 0 and width == atom.width:
        return atom
    if isinstance(atom, Input):
        return Input(atom.source, atom.index, atom.start + start, width)
    if isinstance(atom, Const):
        return Const(atom.value, width)
    if isinstance(atom, Product):
        terms = tuple((a, Matrix(m.slot, m.row, m.column + start)) for a, m in atom.terms)
        return product(terms, width)
    assert isinstance(atom, Elementwise)
    return elementwise(atom.op, tuple(_split_argument(a, start, width) for a in atom.args), width)


def _split_argument(argument: Atom | Vector, start: int, width: int) -> Atom | Vector:
    if argument.width == 1:
        return argument
    if isinstance(argument, Vector):
        return Vector(argument.slot, argument.start + start, width)
    return split(argument, start, width)


def elementwise(op: str, args: tuple[Atom | Vector, ...], width: int) -> Atom:
    """Make an elementwise atom, leaving out what adds or multiplies by a constant 0 or 1."""
    values = [a.value if isinstance(a, Const) else None for a in args]
    if op in ("add", "sub") and values[1] == 0 and _fits(args[0], width):
        return args[0]  # type: ignore[return-value]
    if op == "add" and values[0] == 0 and _fits(args[1], width):
        return args[1]  # type: ignore[return-value]
    if op == "mul" and 0 in values:
        return Const(0.0, width)
    if op in ("mul", "div") and values[1] == 1 and _fits(args[0], width):
        return args[0]  # type: ignore[return-value]
    if op == "mul" and values[0] == 1 and _fits(args[1], width):
        return args[1]  # type: ignore[return-value]
    if op == "neg" and values[0] is not None:
        return Const(-values[0], width)
    return _intern(Elementwise(op, args, width))


def copy(atom: Atom) -> Elementwise:
    """Make an atom that has the same values, in a place of its own."""
    return _intern(Elementwise("copy", (atom,), atom.width))


def product(terms: tuple[tuple[Atom, Matrix], ...], width: int) -> Product:
    """Make a product."""
    return _intern(Product(terms, width))


def row_sum(terms: tuple[Atom, ...]) -> RowSum:
    """Make a sum over columns."""
    return _intern(RowSum(terms))


T = TypeVar("T", Elementwise, Product, RowSum)

_interned: WeakValueDictionary[Atom, Atom] = WeakValueDictionary()


def _intern(atom: T) -> T:
    """Return the one object for all atoms equal to this one, so that comparing them never descends."""
    return _interned.setdefault(atom, atom)  # type: ignore[return-value]


def _fits(argument: Atom | Vector, width: int) -> bool:
    return not isinstance(argument, Vector) and argument.width == width
