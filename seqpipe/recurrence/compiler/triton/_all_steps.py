"""Computes atoms for all steps at once with torch, before or after a kernel's time loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler.program import Atom, Const, Elementwise, Input, Product, RowSum, Vector, atoms_in_order

__all__ = ["AllSteps"]

_FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "neg": torch.neg,
    "copy": torch.Tensor.clone, "max": torch.maximum, "min": torch.minimum, "pow": torch.pow, "abs": torch.abs,
    "sign": torch.sign, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "exp": torch.exp, "log": torch.log, "sin": torch.sin,
    "cos": torch.cos, "erf": torch.erf, "log1p": torch.log1p, "expm1": torch.expm1, "sigmoid": torch.sigmoid,
    "tanh": torch.tanh, "select": lambda which, a, b: torch.where(which != 0, a, b),
}  # fmt: skip
#: Return 0 and 1, in the dtype of their arguments.
_FLAGS: dict[str, Callable[..., Tensor]] = {
    "gt": torch.gt, "ge": torch.ge, "lt": torch.lt, "le": torch.le, "eq": torch.eq, "ne": torch.ne,
    "not": torch.logical_not,
}  # fmt: skip


class AllSteps:
    """The concatenated rows of all steps.

    Parameters
    ----------
    like : tensor of shape (n_rows, …)
        Determines dtype and device.
    inputs : dict of (str, int) to tensor of shape (n_rows, width)
        Inputs of atoms, by source and index.
    values : sequence
        The row-free values.
    """

    def __init__(self, like: Tensor, inputs: dict[tuple[str, int], Tensor], values: Sequence[Any]) -> None:
        self._like, self._inputs, self._values = like, inputs, values
        self._known: dict[Atom, Tensor] = {}
        self._columns: dict[Atom, tuple[Tensor, int]] = {}

    def set_input(self, source: str, index: int, tensor: Tensor) -> None:
        """Set an input."""
        self._inputs[source, index] = tensor

    def set_rows(self, atom: Atom, rows: Tensor) -> None:
        """Set the rows of an atom that was computed elsewhere, (n_rows, width)."""
        self._known[atom] = rows

    def set_adjacent(self, atoms: Sequence[Atom], rows: Tensor) -> None:
        """Set atoms that are adjacent in a tensor of shape (n_rows, sum of widths)."""
        start = 0
        for atom in atoms:
            self.set_rows(atom, rows[:, start : start + atom.width])
            self._columns[atom] = rows, start
            start += atom.width

    def of(self, atom: Atom) -> Tensor:
        """Return the rows of an atom, (n_rows, width)."""
        for part in atoms_in_order([atom], self._known.__contains__):
            self._known[part] = self._compute(part).expand(len(self._like), part.width)
        return self._get(atom).expand(len(self._like), atom.width)

    def concatenated(self, atoms: Sequence[Atom]) -> Tensor:
        """Return the rows of several atoms, concatenated."""
        parts = [self.of(atom) for atom in atoms]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def adjacent(self, atoms: Sequence[Atom]) -> Tensor | None:
        """Return adjacent atoms as one view, or None if they are not adjacent."""
        rows, first = self._columns.get(atoms[0], (None, 0))
        end = first
        for atom in atoms:
            found, start = self._columns.get(atom, (None, 0))
            if rows is None or found is not rows or start != end:
                return None
            end = start + atom.width
        return None if rows is None else rows[:, first:end]

    def _compute(self, atom: Atom) -> Tensor:
        if isinstance(atom, Input):
            return self._inputs[atom.source, atom.index][:, atom.start : atom.start + atom.width]
        if isinstance(atom, Product):
            return self._product(atom)
        if isinstance(atom, RowSum):
            return torch.stack([self._get(a).expand(-1, a.width).sum(1, keepdim=True) for a in atom.terms]).sum(0)
        assert isinstance(atom, Elementwise)
        args = [self._get(a) for a in atom.args]
        if atom.op in _FLAGS:
            return _FLAGS[atom.op](*args).to(self._like.dtype)
        return _FUNCTIONS[atom.op](*args)

    def _product(self, atom: Product) -> Tensor:
        total: Tensor | None = None
        for operand, matrix in atom.terms:
            right = self._values[matrix.slot][
                matrix.row : matrix.row + operand.width, matrix.column : matrix.column + atom.width
            ]
            left = self._get(operand).expand(len(self._like), operand.width)
            total = left @ right if total is None else torch.addmm(total, left, right)
        assert total is not None
        return total

    def _get(self, atom: Atom | Vector) -> Tensor:
        if isinstance(atom, Vector):
            vector: Tensor = self._values[atom.slot].reshape(-1)
            return vector[atom.start : atom.start + atom.width]
        if isinstance(atom, Const):
            return self._like.new_full((1, 1), atom.value)
        return self._known[atom]
