"""What of a step a kernel computes in its loop over time, and what torch computes before or after it."""

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
from seqpipe.recurrence.compiler.triton._ahead import Ahead, take_ahead

__all__ = ["Division", "divide"]

#: What torch has of all steps without a kernel's help.
_AT_HAND = ("x", "state", "ahead")
_Test = Callable[[Atom], bool]


@dataclass(frozen=True)
class Division:
    """A program, divided.

    Attributes
    ----------
    program : StepProgram
        Its products that need no state are inputs.
    ahead : tuple of Ahead
        These products.
    first_ahead : frozenset of int
        Those that the way forward needs.
    layout : Layout
        What forward leaves for backward, and the sums over all rows and steps.
    output_late : bool
        Whether torch computes the output after the loop.
    read_out : tuple of Atom
        What it computes it from.
    left : tuple of Atom
        What the loop back leaves for gradients: it has zeros in the padding.
    """

    program: StepProgram
    ahead: tuple[Ahead, ...]
    first_ahead: frozenset[int]
    layout: Layout
    output_late: bool
    read_out: tuple[Atom, ...]
    left: tuple[Atom, ...]

    def kept(self, *, keep: bool) -> tuple[Atom, ...]:
        """Return what the loop forward stores beside states and output."""
        kept = self.layout.kept if keep else ()
        return tuple(dict.fromkeys([*kept, *self.read_out]))

    @property
    def after(self) -> Iterator[tuple[Atom, int, int]]:
        """The atoms that states after the step are made of, with the state and the first column."""
        for k, atoms in enumerate(self.program.new_states):
            start = 0
            for atom in atoms:
                yield atom, k, start
                start += atom.width

    def is_kept(self, atom: Atom) -> bool:
        """Tell whether forward has stored an atom."""
        return atom in self.layout.kept or (atom in self._states_after and not isinstance(atom, Input))

    def is_at_hand(self, atom: Atom) -> bool:
        """Tell whether backward finds an atom rather than computing it."""
        return isinstance(atom, Input) or self.is_kept(atom)

    @cached_property
    def _states_after(self) -> frozenset[Atom]:
        return frozenset(atom for atom, _, _ in self.after)


def divide(program: StepProgram, *, double: bool) -> Division:
    """Divide a program; rows are stored as wide as they are."""
    program, ahead = take_ahead(program)
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
    """Return what is summed, what is multiplied with the same rows side by side."""
    by_rows: dict[Atom | None, list[Atom]] = {}
    for found in layout.sums:
        by_rows.setdefault(found.rows, []).append(found.columns)
    return [a for columns in by_rows.values() for a in columns] + [rows for rows in by_rows if rows is not None]


def _late(goals: Iterable[Atom], loop: Iterable[Atom], at_hand: _Test) -> dict[Atom, None]:
    """Return the products that no step waits for, and what is computed from them, in order."""
    in_loop = set(atoms_in_order(loop, at_hand))
    late: dict[Atom, None] = {}
    for atom in atoms_in_order(goals, at_hand):
        if atom not in in_loop and (isinstance(atom, Product) or any(a in late for a in arguments(atom))):
            late[atom] = None
    return late


def _stored(goals: Iterable[Atom], late: dict[Atom, None], at_hand: _Test) -> tuple[Atom, ...]:
    """Return what a loop has to store, so that torch can compute what is late."""
    wanted = dict.fromkeys(
        [*goals, *(a for atom in atoms_in_order(late, lambda a: a not in late) for a in arguments(atom))]
    )

    def torch_has(atom: Atom) -> bool:
        return isinstance(atom, Const) or at_hand(atom) or (isinstance(atom, Input) and atom.source in _AT_HAND)

    return tuple(a for a in wanted if a not in late and not torch_has(a))


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
