"""What the two loops of a program share: the machine, and where one leaves what the other reads."""

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
    """What the code is for: the type of its numbers and the machine.

    Attributes
    ----------
    double : bool
        Whether it computes in float64; else in float32.
    vector_bytes, registers : int
        Of the machine's vector unit.
    cache_bytes : int, default=2**20
        Matrices that a step may read: where they are more, what no step waits for is multiplied for many steps at once.
    """

    double: bool
    vector_bytes: int
    registers: int
    cache_bytes: int = 2**20

    @property
    def lanes(self) -> int:
        """Numbers of a vector."""
        return self.vector_bytes // (8 if self.double else 4)

    def padded(self, width: int) -> int:
        """Return the columns of a row in memory: whole vectors."""
        return -(-width // self.lanes) * self.lanes


@dataclass(frozen=True)
class Layout:
    """How forward and backward lay out what they share.

    Attributes
    ----------
    state_widths : tuple of int
    output_state : int or None
        The state that is the output, if one is: they are then stored once.
    kept : dict of Atom to int
        Where each kept atom starts in a row.
    kept_width : int
    sums : tuple of LoopSum
    """

    state_widths: tuple[int, ...]
    output_state: int | None
    output_width: int
    kept: dict[Atom, int]
    kept_width: int
    sums: tuple[LoopSum, ...]


def layout_of(program: StepProgram, target: Target) -> Layout:
    """Decide what is stored where."""
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
    """Return an atom that the backward loop puts into a buffer of its own."""
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
