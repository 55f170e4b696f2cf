"""Values with one row per sample, as adjacent atoms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seqpipe.recurrence.compiler.program._atoms import Atom, Const, Input, Vector, elementwise, pick, split

__all__ = [
    "Refused", "Rows", "aligned", "arranged", "axis_of", "column_shape", "combine", "input_rows", "is_zero", "labels",
]  # fmt: skip


class Refused(Exception):
    """An operation cannot be planned; the message follows its name, as in "mixes samples"."""


@dataclass(frozen=True)
class Rows:
    """A value with one row per sample.

    Attributes
    ----------
    atoms : tuple of Atom
        The columns of a sample.
    shape : tuple of int
        Shape of the value, with the samples along one dimension.
    outer : int
        In row-major order the value has shape (outer, batch, width // outer); 1 if the samples come first.
    """

    atoms: tuple[Atom, ...]
    shape: tuple[int, ...]
    outer: int = 1

    @property
    def width(self) -> int:
        return sum(a.width for a in self.atoms)


def axis_of(rows: Rows, batch: int) -> tuple[int, int, int]:
    """Return the dimension of the samples, and the sizes merged with it before and after the samples."""
    before = 1
    for axis, size in enumerate(rows.shape):
        left = rows.outer // before
        if size % batch == 0 and rows.outer == before * left and (size // batch) % left == 0:
            return axis, left, size // batch // left
        before *= size
    raise Refused("loses the rows of the batch")


def column_shape(rows: Rows, batch: int) -> tuple[int, ...]:
    """Return the shape of the value for a single sample."""
    axis, before, after = axis_of(rows, batch)
    return (*rows.shape[:axis], before * after, *rows.shape[axis + 1 :])


def labels(rows: Rows, batch: int, first: int = 0) -> Tensor:
    """Return a tensor of the value's shape that encodes sample and column, columns counted from ``first``.

    Applied to these labels, an operation that moves elements shows how it moves those of the value.
    """
    if not rows.width:
        raise Refused("has no columns")
    columns = torch.arange(first, first + rows.width).view(rows.outer, 1, -1)
    return (columns * batch + torch.arange(batch).view(1, batch, 1)).reshape(rows.shape)


def arranged(atoms: Sequence[Atom], labelled: Tensor, batch: int, fill: float = 0.0) -> Rows:
    """Return the value whose elements are given by labels of the atoms' columns, or ``fill`` where a label is -1."""
    if not labelled.numel():
        raise Refused("has no columns")
    samples = torch.arange(batch).view(1, batch, 1)
    for outer in _possible_outers(tuple(labelled.shape), batch):
        grid = labelled.reshape(outer, batch, -1)
        columns = grid.div(batch, rounding_mode="floor")
        in_place = (grid % batch == samples) | (grid < 0)
        if bool(in_place.all()) and torch.equal(columns, columns[:, :1].expand_as(columns)):
            chosen = columns[:, 0].reshape(-1)
            if fill:
                chosen = chosen.masked_fill(chosen < 0, sum(a.width for a in atoms))
                atoms = [*atoms, Const(fill, 1)]
            return Rows(pick(atoms, chosen.tolist()), tuple(labelled.shape), outer)
    raise Refused("moves the rows of the batch")


def _possible_outers(shape: tuple[int, ...], batch: int) -> Iterator[int]:
    before = 1
    for size in shape:
        if size % batch == 0:
            joined = size // batch
            yield from (before * n for n in range(1, joined + 1) if joined % n == 0)
        before *= size


def aligned(rows: Rows, shape: tuple[int, ...], batch: int) -> Rows:
    """Broadcast a value to a shape; a single column is kept as one, which applies to every column."""
    if rows.shape == shape:
        return rows
    padded = Rows(rows.atoms, (1,) * (len(shape) - len(rows.shape)) + rows.shape, rows.outer)
    axis, before, _ = axis_of(padded, batch)
    if padded.shape[axis] != shape[axis]:
        raise Refused("mixes samples")
    outer = math.prod(shape[:axis]) * before
    if rows.width == 1 or [s for s in padded.shape if s != 1] == [s for s in shape if s != 1]:
        return Rows(rows.atoms, shape, outer)
    return arranged(rows.atoms, labels(padded, batch).expand(shape), batch)


def combine(op: str, operands: Sequence[Rows | Vector | float], shape: tuple[int, ...], outer: int, width: int) -> Rows:
    """Apply an elementwise operation to operands with equally many columns or one, split at the bounds of all atoms."""
    cuts = {width}
    for operand in operands:
        if isinstance(operand, Rows) and operand.width == width:
            at = 0
            for atom in operand.atoms:
                at += atom.width
                cuts.add(at)
    atoms, start = [], 0
    for end in sorted(cuts):
        args = tuple(_columns(o, start, end - start) for o in operands)
        atoms.append(elementwise(op, args, end - start))
        start = end
    return Rows(tuple(atoms), shape, outer)


def _columns(operand: Rows | Vector | float, start: int, width: int) -> Atom | Vector:
    if isinstance(operand, float):
        return Const(operand, width)
    if isinstance(operand, Vector):
        return operand if operand.width == 1 else Vector(operand.slot, operand.start + start, width)
    if operand.width == 1:
        return operand.atoms[0]
    at = 0
    for atom in operand.atoms:
        if at <= start < at + atom.width:
            return split(atom, start - at, width)
        at += atom.width
    raise AssertionError("columns are split at the bounds of all atoms")


def input_rows(source: str, index: int, value: Tensor) -> Rows:
    return Rows((Input(source, index, 0, math.prod(value.shape[1:])),), tuple(value.shape))


def is_zero(atom: Atom) -> bool:
    return isinstance(atom, Const) and atom.value == 0
