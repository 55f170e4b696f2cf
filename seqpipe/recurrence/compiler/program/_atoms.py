"""Atoms: blocks of columns that a step computes, without views, concatenations or slices.

An atom is a value with one row per sample and a fixed number of columns. Equal atoms are the same object, so common
subexpressions of the forward and backward pass are shared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from weakref import WeakValueDictionary

__all__ = [
    "COSTLY", "Atom", "ColumnSum", "Const", "Elementwise", "Fold", "Input", "Matrix", "OuterSum", "Product",
    "Reduction", "RowSum", "Select", "Vector", "arguments", "copy", "elementwise", "fold", "is_across", "pick",
    "product", "row_sum", "select", "split",
]  # fmt: skip

#: Operations as costly as a division or more: their results are stored for the backward pass, others are recomputed.
COSTLY = {
    "sigmoid", "tanh", "exp", "log", "sqrt", "rsqrt", "div", "sin", "cos", "erf", "log1p", "expm1", "pow", "exp2",
    "log2", "log10", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "atan2", "erfc", "fmod",
    "remainder",
}  # fmt: skip
#: Maximum number of additional pieces into which reordered columns are cut; with more, columns are copied instead.
_MAX_EXTRA_PIECES = 3


@dataclass(frozen=True)
class Vector:
    """Columns of a row-free vector, the same in every row: its ``slot``, from column ``start``."""

    slot: int
    start: int
    width: int


@dataclass(frozen=True)
class Matrix:
    """A block of a row-free matrix, the right operand of a product, from ``row`` and ``column``."""

    slot: int
    row: int
    column: int


@dataclass(frozen=True)
class Input:
    """Columns of an input of a step: x, a state before it, or an incoming gradient."""

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
    """An elementwise operation; an argument of width 1 is broadcast to every column."""

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
    """The sum over all columns of some atoms, of width 1."""

    terms: tuple[Atom, ...]
    width: int = 1

    @cached_property
    def _hash(self) -> int:
        return hash(self.terms)

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True)
class Fold:
    """Columns viewed as (outer, ``size``, ``inner``) and reduced along ``size`` by ``op``: sum, max, min or prod."""

    op: str
    of: Atom
    size: int
    inner: int
    width: int

    @cached_property
    def _hash(self) -> int:
        return hash((self.op, self.of, self.size, self.inner))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True)
class Select:
    """Columns of concatenated atoms in another order: ``columns`` holds the index of each, -1 for a zero."""

    terms: tuple[Atom, ...]
    columns: tuple[int, ...]
    width: int

    @cached_property
    def _hash(self) -> int:
        return hash((self.terms, self.columns))

    def __hash__(self) -> int:
        return self._hash


Atom = Input | Const | Elementwise | Product | RowSum | Fold | Select


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
    if isinstance(atom, Fold):
        return (atom.of,)
    return atom.terms if isinstance(atom, (RowSum, Select)) else ()


def is_across(atom: Atom) -> bool:
    """Return whether an atom reads across columns, so that its arguments must be complete first."""
    return isinstance(atom, (Product, RowSum, Fold, Select))


def split(atom: Atom, start: int, width: int) -> Atom:
    """Return ``width`` columns of an atom from ``start``, by slicing its arguments."""
    if start == 0 and width == atom.width:
        return atom
    if isinstance(atom, Input):
        return Input(atom.source, atom.index, atom.start + start, width)
    if isinstance(atom, Const):
        return Const(atom.value, width)
    if isinstance(atom, Product):
        terms = tuple((a, Matrix(m.slot, m.row, m.column + start)) for a, m in atom.terms)
        return product(terms, width)
    if isinstance(atom, Select):
        return select((atom,), range(start, start + width))
    if isinstance(atom, Fold):
        return _intern(Select((atom,), tuple(range(start, start + width)), width))
    assert isinstance(atom, Elementwise)
    return elementwise(atom.op, tuple(_split_argument(a, start, width) for a in atom.args), width)


def _split_argument(argument: Atom | Vector, start: int, width: int) -> Atom | Vector:
    if argument.width == 1:
        return argument
    if isinstance(argument, Vector):
        return Vector(argument.slot, argument.start + start, width)
    return split(argument, start, width)


def elementwise(op: str, args: tuple[Atom | Vector, ...], width: int) -> Atom:
    """Create an elementwise atom, simplified if an operand of a sum or product is the constant 0 or 1."""
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
    """Create an atom with the same values in separate memory."""
    return _intern(Elementwise("copy", (atom,), atom.width))


def product(terms: tuple[tuple[Atom, Matrix], ...], width: int) -> Product:
    """Create a product."""
    return _intern(Product(terms, width))


def row_sum(terms: tuple[Atom, ...]) -> RowSum:
    """Create a sum over columns."""
    return _intern(RowSum(terms))


def fold(op: str, of: Atom, size: int, inner: int) -> Atom:
    """Create a reduction over groups of ``size`` columns that are ``inner`` columns apart."""
    if size == 1:
        return of
    width = of.width // size
    if isinstance(of, Const) and op in ("sum", "max", "min"):
        return Const(of.value * (size if op == "sum" else 1), width)
    if op == "sum" and width == 1:
        return row_sum((of,))
    return _intern(Fold(op, of, size, inner, width))


#: Origin of a column: an atom and the index of its column. None for a zero.
_Source = tuple[Atom, int] | None


def pick(atoms: Sequence[Atom], columns: Iterable[int]) -> tuple[Atom, ...]:
    """Return columns of concatenated atoms in any order, as atoms; -1 denotes a zero."""
    columns = list(columns)
    if columns == list(range(sum(a.width for a in atoms))):
        return tuple(atoms)
    sources = _sources(atoms, columns)
    pieces = list(_pieces(sources))
    if len(pieces) <= len(atoms) + _MAX_EXTRA_PIECES:
        return tuple(_piece(*piece) for piece in pieces)
    return (_selected(sources),)


def select(atoms: Sequence[Atom], columns: Iterable[int]) -> Atom:
    """Return columns of concatenated atoms in any order, as one atom."""
    return _selected(_sources(atoms, columns))


def _sources(atoms: Sequence[Atom], columns: Iterable[int]) -> list[_Source]:
    """Return the origins of columns, resolving nested selections."""
    flat = [source for atom in atoms for source in _columns_of(atom)]
    return [None if c < 0 else flat[c] for c in columns]


def _columns_of(atom: Atom) -> list[_Source]:
    if isinstance(atom, Select):
        return _sources(atom.terms, atom.columns)
    if isinstance(atom, Const):
        is_zero = atom.value == 0 and math.copysign(1, atom.value) > 0
        return [None if is_zero else (Const(atom.value, 1), 0)] * atom.width
    if isinstance(atom, Input):  # one atom represents all columns of an input
        whole = _intern(Input(atom.source, atom.index, 0, 0))
        return [(whole, c) for c in range(atom.start, atom.start + atom.width)]
    return [(atom, c) for c in range(atom.width)]


def _pieces(sources: Sequence[_Source]) -> Iterator[tuple[_Source, int]]:
    """Split columns into consecutive pieces; yield the first column and the width of each."""
    start = 0
    for end in range(1, len(sources) + 1):
        if end == len(sources) or not _follows(sources[end - 1], sources[end]):
            yield sources[start], end - start
            start = end


def _follows(one: _Source, other: _Source) -> bool:
    if one is None or other is None:
        return one is other
    if isinstance(one[0], Const):
        return one == other
    return one[0] is other[0] and other[1] == one[1] + 1


def _piece(source: _Source, width: int) -> Atom:
    if source is None:
        return Const(0.0, width)
    atom, column = source
    if isinstance(atom, Input):
        return Input(atom.source, atom.index, column, width)
    return Const(atom.value, width) if isinstance(atom, Const) else split(atom, column, width)


def _selected(sources: Sequence[_Source]) -> Atom:
    pieces = list(_pieces(sources))
    if len(pieces) == 1:
        return _piece(*pieces[0])
    if sources[0] is not None and all(
        s is not None and s[0] is sources[0][0] and s[1] == sources[0][1] for s in sources
    ):
        return elementwise("copy", (_piece(sources[0], 1),), len(sources))
    return _intern(Select(*_terms_and_columns(sources), len(sources)))


def _terms_and_columns(sources: Sequence[_Source]) -> tuple[tuple[Atom, ...], tuple[int, ...]]:
    """Return the atoms that columns originate from, and the index of each column among theirs."""
    used: dict[Atom, list[int]] = {}
    for source in sources:
        if source is not None:
            used.setdefault(source[0], []).append(source[1])
    terms: list[Atom] = []
    starts: dict[Atom, int] = {}
    start = 0
    for atom, columns in used.items():
        first = min(columns) if isinstance(atom, Input) else 0
        terms.append(_piece((atom, first), max(columns) + 1 - first) if isinstance(atom, Input) else atom)
        starts[atom] = start - first
        start += terms[-1].width
    return tuple(terms), tuple(-1 if s is None else starts[s[0]] + s[1] for s in sources)


T = TypeVar("T", Input, Elementwise, Product, RowSum, Fold, Select)

_interned: WeakValueDictionary[Atom, Atom] = WeakValueDictionary()


def _intern(atom: T) -> T:
    """Return the unique object for all atoms equal to this one, so that comparisons never recurse."""
    return _interned.setdefault(atom, atom)  # type: ignore[return-value]


def _fits(argument: Atom | Vector, width: int) -> bool:
    return not isinstance(argument, Vector) and argument.width == width
