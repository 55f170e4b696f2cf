"""Values with a row for each sample, as atoms side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from seqpipe.recurrence.compiler._atoms import Atom, Const, Input, Vector, elementwise, split

__all__ = ["Refused", "Rows", "Turned", "combine", "input_rows", "is_zero", "take"]


class Refused(Exception):
    """Says why an operation cannot be planned, in words that follow its name."""


@dataclass(frozen=True)
class Rows:
    """A value with a row for each sample: its atoms side by side, and its shape with the batch in front."""

    atoms: tuple[Atom, ...]
    shape: tuple[int, ...]

    @property
    def width(self) -> int:
        return sum(a.width for a in self.atoms)


@dataclass(frozen=True)
class Turned:
    """Rows, transposed."""

    rows: Rows


def combine(op: str, operands: Sequence[Rows | list[Vector] | float], shape: tuple[int, ...]) -> Rows:
    """Apply an elementwise operation, after cutting its operands at the same columns."""
    width = math.prod(shape[1:])
    for operand in operands:
        if isinstance(operand, Rows) and operand.width not in (1, width):
            raise Refused("broadcasts inner dimensions")
        if (
            isinstance(operand, Rows)
            and operand.width != 1
            and [s for s in operand.shape[1:] if s != 1] != [s for s in shape[1:] if s != 1]
        ):
            raise Refused("broadcasts inner dimensions")
        if isinstance(operand, list) and operand[0].width not in (1, width):
            raise Refused("broadcasts inner dimensions")
    cuts = {width}
    for operand in operands:
        if isinstance(operand, Rows) and operand.width == width:
            at = 0
            for atom in operand.atoms:
                at += atom.width
                cuts.add(at)
    atoms, start = [], 0
    for end in sorted(cuts):
        w = end - start
        args = tuple(_columns(o, start, w) for o in operands)
        atoms.append(elementwise(op, args, w))
        start = end
    return Rows(tuple(atoms), shape)


def _columns(operand: Rows | list[Vector] | float, start: int, width: int) -> Atom | Vector:
    if isinstance(operand, float):
        return Const(operand, width)
    if isinstance(operand, list):
        vector = operand[0]
        return vector if vector.width == 1 else Vector(vector.slot, start, width)
    if operand.width == 1:
        return operand.atoms[0]
    at = 0
    for atom in operand.atoms:
        if at <= start < at + atom.width:
            return split(atom, start - at, width)
        at += atom.width
    raise AssertionError("columns are cut where every operand has a boundary")


def take(rows: Rows, start: int, width: int) -> tuple[Atom, ...]:
    """Return the atoms of some columns."""
    atoms, at = [], 0
    for atom in rows.atoms:
        first, last = max(start, at), min(start + width, at + atom.width)
        if first < last:
            atoms.append(split(atom, first - at, last - first))
        at += atom.width
    return tuple(atoms)


def input_rows(source: str, index: int, value: Tensor) -> Rows:
    return Rows((Input(source, index, 0, math.prod(value.shape[1:])),), tuple(value.shape))


def is_zero(atom: Atom) -> bool:
    return isinstance(atom, Const) and atom.value == 0
