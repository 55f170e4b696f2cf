"""The memory layout that the forward and backward loops of a program share, and the target machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from seqpipe.recurrence.compiler.program._atoms import (
    Atom,
    Const,
    Input,
    OuterSum,
    copy,
)
from seqpipe.recurrence.compiler.program._schedule import LoopSum, depends_on_gradient, kept_atoms
from seqpipe.recurrence.compiler.program._step_program import StepProgram

__all__ = ["Layout", "Target", "layout_of"]


@dataclass(frozen=True)
class Target:
    """The floating-point type and the machine that code is generated for.

    Attributes
    ----------
    double : bool
        Whether to compute in float64; else in float32.
    vector_bytes, registers : int
        Size of a vector and number of vector registers.
    cache_bytes : int, default=2**20
        Size of a step's matrices above which products that do not depend on the state are computed for many steps at
        once.
    """

    double: bool
    vector_bytes: int
    registers: int
    cache_bytes: int = 2**20

    @property
    def lanes(self) -> int:
        """Number of elements per vector."""
        return self.vector_bytes // (8 if self.double else 4)

    def padded(self, width: int) -> int:
        """Return a width rounded up to whole vectors."""
        return -(-width // self.lanes) * self.lanes


@dataclass(frozen=True)
class Layout:
    """The layout of the data that the forward and backward loops share.

    Attributes
    ----------
    state_widths : tuple of int
    output_state : int or None
        Index of the state that equals the output, if any: both are then stored once.
    output_width : int
    kept : dict of Atom to int
        First column of each stored atom.
    kept_width : int
        Number of columns of all stored atoms.
    sums : tuple of LoopSum
    """

    state_widths: tuple[int, ...]
    output_state: int | None
    output_width: int
    kept: dict[Atom, int]
    kept_width: int
    sums: tuple[LoopSum, ...]


def layout_of(program: StepProgram, target: Target) -> Layout:
    """Return the layout for a program on a machine."""
    widths = tuple(sum(a.width for a in s) for s in program.new_states)
    output_state = next((k for k, s in enumerate(program.new_states) if s == program.output), None)
    sums = tuple(_sums(program))
    at_hand = _at_hand(program)
    kept: dict[Atom, int] = {}
    start = 0
    for atom in kept_atoms(_backward_goals(program, sums), at_hand):
        kept[atom] = start
        start += target.padded(atom.width)
    return Layout(widths, output_state, sum(a.width for a in program.output), kept, start, sums)


def _sums(program: StepProgram) -> list[LoopSum]:
    operands = [a for r in program.reductions for a in ([r.left, r.right] if isinstance(r, OuterSum) else [r.left])]
    backward = depends_on_gradient(operands)
    found = []
    for reduction, slot in program.reductions.items():
        if not isinstance(reduction, OuterSum):
            found.append(LoopSum(_stored(reduction.left), None, False, slot))
        elif reduction.left in backward:
            found.append(LoopSum(_stored(reduction.left), _stored(reduction.right, x_too=False), False, slot))
        else:
            found.append(LoopSum(_stored(reduction.right), _stored(reduction.left, x_too=False), True, slot))
    return found


def _stored(atom: Atom, *, x_too: bool = True) -> Atom:
    """Return an atom that the backward loop stores in a buffer."""
    forward = isinstance(atom, Input) and atom.source in ("x", "state")
    if isinstance(atom, Const) or (isinstance(atom, Input) and (x_too or not forward)):
        return copy(atom)
    return atom


def _at_hand(program: StepProgram) -> Callable[[Atom], bool]:
    after = {a for s in program.new_states for a in s}
    return lambda atom: isinstance(atom, Input) or atom in after


def _backward_goals(program: StepProgram, sums: tuple[LoopSum, ...]) -> list[Atom]:
    goals = [a for s in program.state_grads for a in s] + list(program.x_grad or ())
    return goals + [a for s in sums for a in (s.columns, s.rows) if a is not None]
