"""Plans the memory of the values of a loop over time: allocated in advance and reused."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import torch

from seqpipe.recurrence.compiler.eager._graph import Value, values_in, values_in_order
from seqpipe.recurrence.compiler.eager._phases import VIEWS
from seqpipe.recurrence.compiler.eager._rewrite import columns_of

__all__ = ["Place", "computed_ahead", "computed_behind", "plan_memory", "out_of", "pieces_of"]

#: Operations whose function in torch's namespace takes the same arguments and ``out``, and is faster to call.
_QUICK = frozenset({
    "abs", "add", "addcdiv", "addcmul", "addmm", "bmm", "clamp", "clamp_max", "clamp_min", "cos", "div", "erf", "exp",
    "expm1", "lerp", "log", "log1p", "maximum", "minimum", "mm", "mul", "neg", "reciprocal", "rsqrt", "sigmoid", "sign",
    "sin", "sqrt", "square", "sub", "tanh",
})  # fmt: skip
#: Operations that may write their result over an argument.
_ELEMENTWISE = (_QUICK - {"addmm", "bmm", "mm"}) | {"relu", "rsub"}


#: How long memory holds a value: for a step, a run of steps, or all steps.
_EXTENT = ("scratch", "run", "stack")
_OWN = (*_EXTENT, "same")


@dataclass
class Place:
    """The memory of a value of a loop.

    Attributes
    ----------
    kind : {"state", "columns", "stack", "run", "scratch", "same", "view", "sum", "local"}
        In a state's stack; in columns of another value; in its own stack of all rows; in memory reused by each run of
        steps, or by each step; in place of another value; a view of another value; accumulated into a sum; or newly
        allocated by the operation.
    of : Value or None
        The value that it is part of.
    start : int
        The first column.
    number : int
        The index of the state.
    """

    kind: str
    of: Value | None = None
    start: int = 0
    number: int = 0


def computed_ahead(candidates: list[Value], looped: list[Value], elsewhere: set[Value]) -> list[Value]:
    """Return the values that only the loop needs and that can be computed per run of steps, in reused memory.

    Parameters
    ----------
    candidates : list of Value
        Values that do not depend on the loop, in order.
    looped : list of Value
        Values that the loop computes.
    elsewhere : set of Value
        Values needed outside of these.
    """
    whole = set(elsewhere)
    for value in candidates[::-1]:
        if value in whole or not (value.name in VIEWS or (out_of(value) and value.name != "cat")):
            whole |= {value, *values_in((value.args, value.kwargs))}
    wanted = set(
        values_in_order([a for v in looped for a in values_in((v.args, v.kwargs))], set(candidates).__contains__)
    )
    found: dict[Value, None] = {}
    for value in candidates:
        if value in wanted and value not in whole and (value.name not in VIEWS or value.args[0] in found):
            found[value] = None
    return list(found)


def computed_behind(candidates: list[Value], looped: list[Value], targets: list[Value | None]) -> list[Value]:
    """Return the values after the loop that can be computed per run of steps: sums over rows and their arguments.

    Parameters
    ----------
    candidates : list of Value
        Values computed after the loop, in order.
    looped : list of Value
        Values that the loop computes, in order.
    targets : list of Value or None
        The new value of each state, which is not contiguous within a run of steps.
    """
    missing: set[Value | None] = {*targets, *candidates}
    for value in looped:
        if not out_of(value) and (value.name not in VIEWS or value.args[0] in missing):
            missing.add(value)
    found: dict[Value, None] = {}
    for value in candidates:
        fit = _is_sum(value) or value.name in VIEWS or out_of(value)
        given = values_in((value.args, value.kwargs))
        if fit and all(a.is_free or (a.rows is not None and (a in found or a not in missing)) for a in given):
            found[value] = None
    return list(found)


def _is_sum(value: Value) -> bool:
    """Return whether a value is a sum over rows: it has no rows, but its arguments have."""
    given = values_in((value.args, value.kwargs))
    return value.rows is None and value.item is None and any(a.rows is not None for a in given)


def plan_memory(
    ahead: list[Value], values: list[Value], behind: list[Value], targets: list[Value | None], stacked: set[Value]
) -> dict[Value, Place]:
    """Assign a place to each value of a loop.

    Parameters
    ----------
    ahead : list of Value
        Values computed per run of steps, before them.
    values : list of Value
        Values computed at each step.
    behind : list of Value
        Values computed per run of steps, after them.
    targets : list of Value or None
        The new value of each state.
    stacked : set of Value
        Values needed at all steps; concatenations are added if pieces of them are needed.
    """
    return _Planner(ahead, values, behind, targets, stacked).places


class _Planner:
    def __init__(
        self,
        ahead: list[Value],
        values: list[Value],
        behind: list[Value],
        targets: list[Value | None],
        stacked: set[Value],
    ) -> None:
        order = [*ahead, *values, *behind]
        self.inside, self.stacked = set(order), stacked
        self.lasting = {a for v in behind for a in _sources((v.args, v.kwargs))}
        self.in_runs = {*ahead, *behind, *self.lasting}
        self.kept = {*stacked, *self.lasting, *(t for t in targets if t is not None)}
        self.places: dict[Value, Place] = {}
        self.users: dict[Value, list[Value]] = defaultdict(list)
        for value in order:
            for argument in values_in((value.args, value.kwargs)):
                self.users[argument].append(value)
        self._place_states(set(values), targets)
        self._place_concatenations([*values, *behind])
        for value in order:
            if value not in self.places:
                self.places[value] = self._own_place(value)

    def _place_states(self, looped: set[Value], targets: list[Value | None]) -> None:
        for number, target in enumerate(targets):
            if target in looped and target not in self.places and out_of(target) and target.name != "cat":
                self.places[target] = Place("state", number=number)

    def _place_concatenations(self, values: list[Value]) -> None:
        made = set(values)
        for value in values:
            if value.name == "cat" and out_of(value) and value not in self.places:
                self.places[value] = self._fresh(value)
                for piece, start, _ in pieces_of(value):
                    if piece in made and piece not in self.places and out_of(piece) and piece.name != "cat":
                        self._place_piece(piece, value, start)

    def _place_piece(self, piece: Value, value: Value, start: int) -> None:
        self.kept.add(value)  # it holds the piece, which may be read later
        self.places[piece] = Place("columns", value, start)
        if piece in self.stacked:
            self.stacked.add(value)
        if piece in self.lasting:
            self.in_runs.add(value)
        self.places[value] = self._fresh(value)

    def _own_place(self, value: Value) -> Place:
        source = value.args[0] if value.args and isinstance(value.args[0], Value) else None
        if value.name in VIEWS and source is not None and not self._is_local(source):
            return Place("view", source)
        if not out_of(value):
            return Place("sum" if _is_sum(value) else "local")
        over = next((a for a in _replaceable(value) if self._has_no_other_use(a, value)), None)
        if over is None:
            return self._fresh(value)
        self._extend(over, self._fresh(value).kind)
        return Place("same", over)

    def _is_local(self, value: Value) -> bool:
        return value in self.inside and self.places.get(value, Place("local")).kind == "local"

    def _fresh(self, value: Value) -> Place:
        return Place("stack" if value in self.stacked else "run" if value in self.in_runs else "scratch")

    def _has_no_other_use(self, argument: Value, user: Value) -> bool:
        """Return whether ``user`` is the only use of an argument, or of the columns that it views."""
        if argument not in self.inside or argument in self.kept or set(self.users[argument]) != {user}:
            return False
        if self.places[argument].kind != "view":
            return self.places[argument].kind in _OWN
        whole, columns = argument.args[0], columns_of(argument)
        if not columns or whole not in self.inside or whole in self.kept:
            return False
        others = [columns_of(v) for v in self.users[whole] if v is not argument]
        apart = all(other and (other[1] <= columns[0] or columns[1] <= other[0]) for other in others)
        return apart and self.places[whole].kind in _OWN

    def _extend(self, value: Value, kind: str) -> None:
        """Move a value to memory that holds all steps, or those of a run."""
        place = self.places[value]
        if place.of is not None:
            self._extend(place.of, kind)
        elif _EXTENT.index(place.kind) < _EXTENT.index(kind):
            self.places[value] = Place(kind)


def _sources(given: Any) -> list[Value]:
    """Return the values among arguments and the values that they view."""
    return [w for v in values_in(given) for w in (v, *(_sources(v.args) if v.name in VIEWS else ()))]


def _replaceable(value: Value) -> list[Value]:
    """Return the arguments that an operation may overwrite with its result."""
    given = value.args[:1] if value.name == "addmm" else value.args if value.name in _ELEMENTWISE else ()
    return [a for a in given if isinstance(a, Value) and a.shape == value.shape and a.dtype == value.dtype]


def pieces_of(value: Value) -> list[tuple[Value, int, int]]:
    """Return a concatenation's pieces, each with its first column and width."""
    dim, start, found = value.args[1] if len(value.args) > 1 else 0, 0, []
    for piece in value.args[0]:
        width = piece.shape[dim]
        found.append((piece, start, width))
        start += width
    return found


def out_of(value: Value) -> tuple[Any, str] | None:
    """Return a function that writes the value into given memory, and the name of that argument; else None."""
    if isinstance(value.op, str) or value.item is not None or value.rows is None or value.rows[0] != 0:
        return None
    if value.name in VIEWS:
        return None
    if value.name == "rsub":  # torch.rsub takes no out=; a number minus a tensor becomes torch.sub of two tensors
        from_number = len(value.args) == 2 and not isinstance(value.args[1], Value) and not value.kwargs
        return (torch.sub, "out") if from_number else None
    if value.name in _QUICK:
        return getattr(torch, value.name), "out"
    wanted = [a.name for a in value.op._schema.arguments]
    for name in ("out", f"{value.op._overloadname}_out", "grad_input"):
        overload = getattr(value.op.overloadpacket, name, None)
        if overload is not None and [a.name for a in overload._schema.arguments[:-1]] == wanted:
            return overload, overload._schema.arguments[-1].name
    return None
