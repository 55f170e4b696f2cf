"""Products that do not depend on the state: torch computes them for all steps in one call, before the time loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from seqpipe.recurrence.compiler.program import (
    Atom,
    Input,
    Matrix,
    Product,
    StepProgram,
    arguments,
    atoms_of,
    elementwise,
    product,
    rebuild,
    with_arguments,
)

__all__ = ["Ahead", "hoist_products"]


@dataclass(frozen=True)
class Ahead:
    """A product of an atom that does not depend on the state with some columns of a matrix.

    Attributes
    ----------
    operand : Atom
    slot, row : int
        The slot of the row-free matrix, and its first row.
    start, end : int
        The range of its columns.
    """

    operand: Atom
    slot: int
    row: int
    start: int
    end: int


_Key = tuple[Atom, int, int]


def hoist_products(program: StepProgram) -> tuple[StepProgram, tuple[Ahead, ...]]:
    """Replace products that do not depend on the state by inputs ``Input("ahead", k, …)``; also return the products.

    Products of one atom with several column blocks of a matrix are merged.
    """
    spans = _spans(program)
    keys = list(spans)
    operands: dict[int, Atom] = {}

    def make(atom: Atom, made: Callable[[Atom], Atom]) -> Atom:
        if not isinstance(atom, Product):
            return with_arguments(atom, made)
        rest: list[tuple[Atom, Matrix]] = []
        parts: list[Atom] = []
        for operand, matrix in atom.terms:
            key = (operand, matrix.slot, matrix.row)
            if key in spans:
                k = keys.index(key)
                operands[k] = made(operand)
                parts.append(Input("ahead", k, matrix.column - spans[key][0], atom.width))
            else:
                rest.append((made(operand), matrix))
        if rest:
            parts.append(product(tuple(rest), atom.width))
        total, *others = parts
        for part in others:
            total = elementwise("add", (total, part), atom.width)
        return total

    changed = rebuild(program, make)
    return changed, tuple(Ahead(operands[k], slot, row, *spans[keys[k]]) for k, (_, slot, row) in enumerate(keys))


def _spans(program: StepProgram) -> dict[_Key, tuple[int, int]]:
    """Return the range of matrix columns that each such product needs."""
    found: dict[_Key, tuple[int, int]] = {}
    with_state: set[Atom] = set()
    for atom in atoms_of(program):
        if isinstance(atom, Input):
            if atom.source != "x":
                with_state.add(atom)
        elif any(a in with_state for a in arguments(atom)):
            with_state.add(atom)
        if isinstance(atom, Product):
            for operand, matrix in atom.terms:
                if operand not in with_state:
                    key = (operand, matrix.slot, matrix.row)
                    start, end = found.get(key, (matrix.column, matrix.column))
                    found[key] = min(start, matrix.column), max(end, matrix.column + atom.width)
    return found
