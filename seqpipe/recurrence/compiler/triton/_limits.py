"""Limits on the size of a step for a kernel that runs on one multiprocessor."""

from __future__ import annotations

import torch

from seqpipe.recurrence.compiler.program import (
    Atom,
    Elementwise,
    Fold,
    Input,
    Product,
    Select,
    StepProgram,
    atoms_in_order,
    atoms_of,
)
from seqpipe.recurrence.compiler.trace import Unplannable
from seqpipe.recurrence.compiler.triton._division import Division
from seqpipe.recurrence.compiler.triton._tiles import KNOWN, padded

__all__ = ["check_limits", "check_operations"]

#: Maximum columns of a tile: wider ones, with the addresses of their matrices, do not fit into registers.
_WIDEST = 256
#: Maximum bytes of matrices that a step reads. A multiprocessor reads 64 bytes per clock from the L2 cache, so 1 MiB
#: takes 16,384 clocks or 9 µs, about as long as the calls of one step in a CUDA graph, which uses all multiprocessors.
_MATRIX_BYTES = 2**20


def check_limits(division: Division, dtype: torch.dtype) -> int:
    """Check the size of a step; return the columns of the widest tile.

    Raises
    ------
    Unplannable
        If a tile is too wide or the matrices of a loop are too large.
    """
    program = division.program
    forward = [*(a for atoms in program.new_states for a in atoms), *division.read_out]
    forward += () if division.output_late else program.output
    back = [*(a for atoms in program.state_grads for a in atoms), *division.left]
    loops = [
        atoms_in_order(forward, lambda a: isinstance(a, Input)),
        atoms_in_order(back, division.is_available),
    ]
    widest = max([*division.layout.state_widths, *(a.width for atoms in loops for a in atoms)])
    if widest > _WIDEST:
        raise Unplannable(f"it keeps {widest} columns in registers, more than the maximum of {_WIDEST}")
    size = max(map(_matrix_size, loops)) * dtype.itemsize
    if size > _MATRIX_BYTES:
        raise Unplannable(f"a step reads {size / 2**20:.1f} MiB of matrices, more than the maximum of 1 MiB")
    return padded(widest)


def check_operations(program: StepProgram) -> None:
    """Check that the kernels support all operations of a step.

    Raises
    ------
    Unplannable
        If they do not; the message names the first.
    """
    for atom in atoms_of(program):
        if isinstance(atom, (Fold, Select)):
            raise Unplannable("it computes along inner dimensions or moves columns, which the kernels do not support")
        if isinstance(atom, Elementwise) and atom.op not in KNOWN:
            raise Unplannable(f"it computes {atom.op}, which the kernels do not support")


def _matrix_size(atoms: list[Atom]) -> int:
    return sum(a.width * found.width for found in atoms if isinstance(found, Product) for a, _ in found.terms)
