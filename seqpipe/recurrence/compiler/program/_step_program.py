"""What a step computes: atoms for the loops, and row-free operations for torch around them."""

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
    """A value without rows: a slot that torch fills before the loops, or after them where reductions are needed."""

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
        """Return the slots that it takes values from."""
        return set(_slots((self.args, self.kwargs)))


@dataclass
class StepProgram:
    """What a step computes.

    Attributes
    ----------
    output, new_states : tuple of Atom
        Side by side, they make up the output and each state after the step.
    x_grad, state_grads : tuple of Atom, or None
    parameter_grads : list of Free or None
        A slot for each parameter and buffer.
    reductions : dict of Reduction to int
        The slot of each.
    early, late : list of FreeCall
        What torch runs before the loops, and after.
    n_slots : int
        Row-free values; the first ones are the parameters and buffers.
    x_width : int
        Columns of one step of x.
    projected : bool
        Whether x is what the cell's `project` gives, which torch runs.
    recipes : Recipes
        How torch computes those of the first row-free values that are no tensors of the cell.
    shapes : dict of int to tuple of int
        Shapes of the row-free values that atoms read.
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
    """Let torch run operations on row-free values, and put the results into their slots."""
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
