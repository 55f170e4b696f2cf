"""Divides a step into what a kernel computes in its loop over time, and what torch computes before or after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from seqpipe.recurrence.compiler.program import (
    Atom,
    Const,
    Input,
    Layout,
    Product,
    StepProgram,
    Target,
    arguments,
    atoms_in_order,
    layout_of,
)
from seqpipe.recurrence.compiler.triton._ahead import Ahead, hoist_products

__all__ = ["Division", "divide"]

#: Inputs that torch has for all steps without a kernel.
_AVAILABLE = ("x", "state", "ahead")
_Test = Callable[[Atom], bool]


@dataclass(frozen=True)
class Division:
    """A divided program.

    Attributes
    ----------
    program : StepProgram
        The program, with products that do not depend on the state as inputs.
    ahead : tuple of Ahead
        These products.
    forward_ahead : frozenset of int
        Indices of those that the forward pass needs.
    layout : Layout
        Activations stored for the backward pass, and the sums over all rows and steps.
    output_late : bool
        Whether torch computes the output after the loop.
    read_out : tuple of Atom
        The atoms from which it does.
    left : tuple of Atom
        The atoms that the backward loop stores for gradients, zero in the padding.
    """

    program: StepProgram
    ahead: tuple[Ahead, ...]
    forward_ahead: frozenset[int]
    layout: Layout
    output_late: bool
    read_out: tuple[Atom, ...]
    left: tuple[Atom, ...]

    def kept(self, *, keep: bool) -> tuple[Atom, ...]:
        """Return the atoms that the forward loop stores besides states and output."""
        kept = self.layout.kept if keep else ()
        return tuple(dict.fromkeys([*kept, *self.read_out]))

    @property
    def after(self) -> Iterator[tuple[Atom, int, int]]:
        """The atoms of the new states, each with its state and first column."""
        for k, atoms in enumerate(self.program.new_states):
            start = 0
            for atom in atoms:
                yield atom, k, start
                start += atom.width

    def is_kept(self, atom: Atom) -> bool:
        """Return whether the forward loop stores an atom."""
        return atom in self.layout.kept or (atom in self._states_after and not isinstance(atom, Input))

    def is_available(self, atom: Atom) -> bool:
        """Return whether the backward loop reads an atom instead of computing it."""
        return isinstance(atom, Input) or self.is_kept(atom)

    @cached_property
    def _states_after(self) -> frozenset[Atom]:
        return frozenset(atom for atom, _, _ in self.after)


def divide(program: StepProgram, *, double: bool) -> Division:
    """Divide a program; rows are stored without padding."""
    program, ahead = hoist_products(program)
    layout = layout_of(program, Target(double, 8 if double else 4, 0))
    after = {a for atoms in program.new_states for a in atoms}
    late = _late(program.output, [a for atoms in program.new_states for a in atoms], lambda a: isinstance(a, Input))
    read_out = _stored(program.output, late, after.__contains__) if late else ()
    goals = [*_operands(layout), *(program.x_grad or ())]

    def found(atom: Atom) -> bool:
        return isinstance(atom, Input) or atom in layout.kept or atom in after

    back = [a for atoms in program.state_grads for a in atoms]
    left = _stored(goals, _late(goals, back, found), lambda a: a in layout.kept or a in after)
    return Division(program, ahead, _needed_forward(program, ahead), layout, bool(late), read_out, left)


def _operands(layout: Layout) -> list[Atom]:
    """Return the operands of the sums; those multiplied by the same rows are adjacent."""
    by_rows: dict[Atom | None, list[Atom]] = {}
    for found in layout.sums:
        by_rows.setdefault(found.rows, []).append(found.columns)
    return [a for columns in by_rows.values() for a in columns] + [rows for rows in by_rows if rows is not None]


def _late(goals: Iterable[Atom], loop: Iterable[Atom], available: _Test) -> dict[Atom, None]:
    """Return the products that no step depends on, and the atoms computed from them, in order."""
    in_loop = set(atoms_in_order(loop, available))
    late: dict[Atom, None] = {}
    for atom in atoms_in_order(goals, available):
        if atom not in in_loop and (isinstance(atom, Product) or any(a in late for a in arguments(atom))):
            late[atom] = None
    return late


def _stored(goals: Iterable[Atom], late: dict[Atom, None], available: _Test) -> tuple[Atom, ...]:
    """Return the atoms that a loop must store so that torch can compute the late ones."""
    wanted = dict.fromkeys(
        [*goals, *(a for atom in atoms_in_order(late, lambda a: a not in late) for a in arguments(atom))]
    )

    def is_known(atom: Atom) -> bool:
        return isinstance(atom, Const) or available(atom) or (isinstance(atom, Input) and atom.source in _AVAILABLE)

    return tuple(a for a in wanted if a not in late and not is_known(a))


def _needed_forward(program: StepProgram, ahead: tuple[Ahead, ...]) -> frozenset[int]:
    goals = [*program.output, *(a for atoms in program.new_states for a in atoms)]
    needed: set[int] = set()
    while goals:
        found = {
            a.index for a in atoms_in_order(goals, lambda a: False) if isinstance(a, Input) and a.source == "ahead"
        }
        goals = [ahead[k].operand for k in found - needed]
        needed |= found
    return frozenset(needed)
