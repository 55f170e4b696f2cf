"""The program of a step: atoms for the loops, and row-free operations that torch runs before and after them.

A value is row-free if it has no batch dimension, as parameters and functions of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from seqpipe.recurrence.compiler.program._atoms import Atom, Reduction
from seqpipe.recurrence.compiler.trace import Recipes

__all__ = ["Free", "StepProgram", "FreeCall", "run_free_calls"]


@dataclass(frozen=True)
class Free:
    """A row-free value: a slot that torch fills before the loops, or after them if it depends on reductions (late)."""

    slot: int
    late: bool


@dataclass
class FreeCall:
    """One operation that torch runs outside the loops."""

    slot: int
    op: Callable[..., Any]
    args: Any
    kwargs: dict[str, Any]
    item: int | None

    def reads(self) -> set[int]:
        """Return the slots of its arguments."""
        return set(_slots((self.args, self.kwargs)))


@dataclass
class StepProgram:
    """The program of a step.

    Attributes
    ----------
    output, new_states : tuple of Atom
        The output and each state after the step, as adjacent blocks of columns.
    x_grad, state_grads : tuple of Atom, or None
    parameter_grads : list of Free or None
        Gradient of each parameter and buffer.
    reductions : dict of Reduction to int
        Sums over rows and steps, with their slots.
    early, late : list of FreeCall
        Operations that torch runs before and after the loops.
    constants : dict of int to Tensor
        Values of the slots that are constant.
    shapes : dict of int to tuple of int
        Shapes of the row-free values that atoms read.
    n_slots : int
        Number of row-free values; the first ones are the parameters and buffers.
    x_width : int
        Number of columns of one step of x.
    projected : bool
        Whether x is the result of the cell's `project`, which torch runs.
    recipes : Recipes
        Computation of those of the first row-free values that are not tensors of the cell.
    """

    output: tuple[Atom, ...] = ()
    new_states: list[tuple[Atom, ...]] = field(default_factory=list)
    x_grad: tuple[Atom, ...] | None = None
    state_grads: list[tuple[Atom, ...]] = field(default_factory=list)
    parameter_grads: list[Free | None] = field(default_factory=list)
    reductions: dict[Reduction, int] = field(default_factory=dict)
    early: list[FreeCall] = field(default_factory=list)
    late: list[FreeCall] = field(default_factory=list)
    constants: dict[int, Tensor] = field(default_factory=dict)
    shapes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    n_slots: int = 0
    x_width: int = 0
    projected: bool = False
    recipes: Recipes = field(default_factory=lambda: Recipes([], []))


def run_free_calls(steps: Sequence[FreeCall], values: list[Any]) -> None:
    """Run operations on row-free values with torch, and store the results in their slots."""
    for step in steps:
        result = step.op(*_resolve(step.args, values), **_resolve(step.kwargs, values))
        values[step.slot] = result if step.item is None else result[step.item]


def _resolve(value: Any, values: list[Any]) -> Any:
    if isinstance(value, Free):
        return values[value.slot]
    if isinstance(value, (list, tuple)):
        return type(value)([_resolve(v, values) for v in value])
    if isinstance(value, dict):
        return {k: _resolve(v, values) for k, v in value.items()}
    return value


def _slots(value: Any) -> Iterator[int]:
    if isinstance(value, Free):
        yield value.slot
    elif isinstance(value, (list, tuple, dict)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _slots(inner)
