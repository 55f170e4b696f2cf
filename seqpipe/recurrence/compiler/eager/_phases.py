"""The phase in which each value of a step is computed: before, in or after a loop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seqpipe.recurrence.compiler.eager._graph import StepGraph, Value, values_in, values_in_order

__all__ = ["VIEWS", "Phases", "phases_of"]

#: Operations that are free to recompute from their argument.
VIEWS = frozenset(
    {"slice", "split", "split_with_sizes", "unbind", "select", "t", "transpose", "permute", "unsqueeze", "expand"}
)
_CHEAP = VIEWS | {"reshape"}


@dataclass
class Phases:
    """The values of each phase, in topological order.

    Attributes
    ----------
    free, free_later : list of Value
        Computed from parameters alone, once per batch, for the forward pass and for the backward pass.
    before, forward, after : list of Value
        The forward pass: for all steps at once, in the loop over time, and again for all steps at once.
    prepared, back, sunk : list of Value
        The same for the backward pass.
    used_after : list of Value
        Values of the forward loop that are needed after it.
    kept : list of Value
        Values of the forward pass that the backward pass needs.
    """

    free: list[Value]
    free_later: list[Value]
    before: list[Value]
    forward: list[Value]
    after: list[Value]
    prepared: list[Value]
    back: list[Value]
    sunk: list[Value]
    used_after: list[Value]
    kept: list[Value]


def phases_of(graph: StepGraph, addends: Sequence[Value] = ()) -> Phases:
    """Assign each value to a phase: values between the old and the new state are looped.

    ``addends`` are needed before the backward loop.
    """
    everything = [v for v in values_in_order([*graph.forward_goals, *graph.gradients, *addends]) if v.op != "input"]
    ahead = set(values_in_order(graph.forward_goals))
    path = set(values_in_order(graph.new_states))
    backward_path = set(values_in_order([g for g in graph.grads_of_states if g is not None]))
    rows = [v for v in everything if not v.is_free]
    forward = [v for v in rows if v in ahead and v.level == 1 and v in path]
    after = [v for v in rows if v in ahead and v.level == 1 and v not in path]
    rest = [v for v in rows if v not in ahead]
    back = [v for v in rest if v.level == 2 and v in backward_path]
    sunk = [v for v in rest if v.level == 2 and v not in backward_path]
    prepared = [v for v in rest if v.level < 2]
    shown = _recomputed_views([*after, graph.output], set(forward))
    again = _recomputed_views([*rest, *addends], {v for v in rows if v in ahead})
    x_grad = [g for g in graph.grads[len(graph.parameters) :][:1] if g is not None]
    shown_later = _recomputed_views([*sunk, *x_grad], set(back))
    free_goals = [g for g in graph.gradients if g.is_free]
    return Phases(
        free=[v for v in everything if v.is_free and v in ahead],
        free_later=values_in_order(
            [*_read({v for v in everything if v.is_free}, rest), *free_goals], lambda v: v.is_free
        ),
        before=[v for v in rows if v in ahead and v.level == 0],
        forward=forward,
        after=[*shown, *after],
        prepared=[*again, *prepared],
        back=back,
        sunk=[*shown_later, *sunk],
        used_after=_read(set(forward), [*shown, *after], graph.output),
        kept=_read({v for v in rows if v in ahead} - set(again), [*again, *rest], *addends),
    )


def _recomputed_views(readers: Iterable[Value], made: set[Value]) -> list[Value]:
    """Return the views in ``made`` that the readers need, and the views that these are based on."""
    wanted = [v for reader in readers for v in (reader, *_arguments(reader)) if v in made and v.name in _CHEAP]
    return values_in_order(wanted, lambda v: v in made and v.name in _CHEAP)


def _read(made: set[Value], readers: Iterable[Value], *others: Value) -> list[Value]:
    found = dict.fromkeys(v for reader in readers for v in _arguments(reader) if v in made)
    return [*found, *(v for v in others if v in made and v not in found and v.name not in _CHEAP)]


def _arguments(value: Value) -> list[Value]:
    return values_in((value.args, value.kwargs))
