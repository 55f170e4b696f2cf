"""A loop over time as lines of Python, one call of torch each, that write into memory laid out beforehand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch

from seqpipe.recurrence.compiler._graph import Size, Value
from seqpipe.recurrence.compiler._parts import VIEWS

__all__ = ["Loop", "Place", "write_loop"]

_ATEN = torch.ops.aten
#: Operations whose function in torch's namespace takes the same arguments, and ``out``: quicker to call than the operation.
_QUICK = frozenset({
    "abs", "add", "addcmul", "addmm", "bmm", "clamp", "clamp_max", "clamp_min", "cos", "div", "erf", "exp", "expm1", "lerp", "log", "log1p",
    "maximum", "minimum", "mm", "mul", "neg", "reciprocal", "rsqrt", "sigmoid", "sign", "sin", "sqrt", "square", "sub", "tanh",
})  # fmt: skip


@dataclass
class Place:
    """Where the values of a loop's steps lie.

    Attributes
    ----------
    kind : {"state", "columns", "stack", "scratch", "view", "local"}
        In a state's stack; in columns of another value; in a stack of its own, one row after the other; in memory that each
        step uses anew; where it views another value; or wherever the operation puts its result.
    of : Value or None
        Which value it is a part of.
    start : int
        From which column.
    number : int
        Which state.
    """

    kind: str
    of: Value | None = None
    start: int = 0
    number: int = 0


@dataclass
class Loop:
    """A loop's code, and what it is to be called with.

    Attributes
    ----------
    source : str
    columns : list
        What there is one tensor of for each step: values, states to be written ("state", number), slots of concatenations
        ("slot", value, start, width), copies that are stacked ("copy", value), or "rows".
    free : list of Value
        What is the same at every step.
    places : dict
        Where the loop's values lie.
    """

    source: str = ""
    columns: list[Any] = field(default_factory=list)
    free: list[Value] = field(default_factory=list)
    places: dict[Value, Place] = field(default_factory=dict)
    stacked: set[Value] = field(default_factory=set)
    function: Any = None


def write_loop(values: list[Value], targets: list[Value | None], stacked: Iterable[Value]) -> Loop:
    """Write a loop.

    Parameters
    ----------
    values : list of Value
        What it computes at each step, in order.
    targets : list of Value or None
        What becomes each state for the step that follows; None where that does not come from the loop.
    stacked : iterable of Value
        What is needed of all steps.
    """
    return _Writer(values, targets, set(stacked)).loop


class _Writer:
    def __init__(self, values: list[Value], targets: list[Value | None], stacked: set[Value]) -> None:
        self.values, self.targets, self.inside = values, targets, set(values)
        self.loop = Loop(stacked=stacked)
        self.names: dict[Any, str] = {}
        self.scope: dict[str, Any] = {"torch": torch}
        self.lines: list[str] = []
        self._find_places()
        for value in values:
            self._write(value)
        for number, target in enumerate(targets):
            if target is not None and self._place(target) != Place("state", number=number):
                self.lines.append(f"{self._column(('state', number))}.copy_({self._name(target)})")
        self._finish()

    def _place(self, value: Value) -> Place | None:
        return self.loop.places.get(value)

    def _find_places(self) -> None:
        places = self.loop.places
        for number, target in enumerate(self.targets):
            if target in self.inside and target not in places and _out_of(target) and target.name != "cat":
                places[target] = Place("state", number=number)
        for value in self.values:
            if value.name == "cat" and value.rows is not None and value.rows[0] == 0 and value not in places:
                places[value] = Place("stack" if value in self.loop.stacked else "scratch")
                self._place_pieces(value)
        for value in self.values:
            if value not in places:
                places[value] = self._own_place(value)

    def _place_pieces(self, value: Value) -> None:
        for piece, start, _ in _pieces(value):
            if piece in self.inside and piece not in self.loop.places and _out_of(piece) and piece.name != "cat":
                self.loop.places[piece] = Place("columns", value, start)
                if piece in self.loop.stacked:
                    self.loop.stacked.add(value)
                    self.loop.places[value] = Place("stack")

    def _own_place(self, value: Value) -> Place:
        source = value.args[0] if value.args and isinstance(value.args[0], Value) else None
        if value.name in VIEWS and source is not None and not self._is_local(source):
            return Place("view", source)
        if not _out_of(value):
            return Place("local")
        return Place("stack" if value in self.loop.stacked else "scratch")

    def _is_local(self, value: Value) -> bool:
        place = self._place(value)
        return value in self.inside and (place is None or place.kind == "local")

    def _write(self, value: Value) -> None:
        place = self.loop.places[value]
        if place.kind == "view":  # a column, should anything read it
            return
        if place.kind == "local":
            self._write_local(value)
            return
        if value.name == "cat" and self._write_missing_pieces(value):
            return
        function, out = _out_of(value)  # type: ignore[misc]
        args, kwargs = value.args, dict(value.kwargs)
        if value.name == "rsub":
            function, args = torch.sub, (self._scalar(value), args[0])
        name = self._in_scope(
            value.name if function is getattr(torch, value.name, None) else f"{value.name}_", function
        )
        rendered = [*map(self._render, args), *(f"{k}={self._render(v)}" for k, v in kwargs.items())]
        self.lines.append(f"{name}({', '.join(rendered)}, {out}={self._column(value)})")

    def _scalar(self, value: Value) -> torch.Tensor:
        return torch.tensor(value.args[1], dtype=value.dtype)

    def _write_local(self, value: Value) -> None:
        if value.item is None:
            call = self._call(value)
        else:
            first = self.names.get(("call", value.call))
            if first is None:
                first = self.names[("call", value.call)] = f"c{len(self.names)}"
                self.lines.append(f"{first} = {self._call(value)}")
            call = f"{first}[{value.item}]"
        name = self.names[value] = f"v{len(self.names)}"
        self.lines.append(f"{name} = {call}")
        if value in self.loop.stacked:
            self.lines.append(f"{self._column(('copy', value))}.copy_({name})")

    def _call(self, value: Value) -> str:
        rendered = [*map(self._render, value.args), *(f"{k}={self._render(v)}" for k, v in value.kwargs.items())]
        return f"{self._in_scope(f'{value.name}_', value.op)}({', '.join(rendered)})"

    def _write_missing_pieces(self, value: Value) -> bool:
        """Copy pieces that are made elsewhere; tell whether any was made in place, so that nothing is left to concatenate."""
        pieces = _pieces(value)
        if not any(self._lies_in(piece, value, start) for piece, start, _ in pieces):
            return False
        self._column(value)
        for piece, start, width in pieces:
            if not self._lies_in(piece, value, start):
                self.lines.append(f"{self._column(('slot', value, start, width))}.copy_({self._name(piece)})")
        return True

    def _lies_in(self, piece: Value, value: Value, start: int) -> bool:
        return self._place(piece) == Place("columns", value, start)

    def _in_scope(self, name: str, thing: Any) -> str:
        while self.scope.setdefault(name, thing) is not thing:
            name += "_"
        return name

    def _name(self, value: Value) -> str:
        if value in self.names:
            return self.names[value]
        if value.is_free:
            self.loop.free.append(value)
            self.names[value] = f"p{len(self.loop.free)}"
            return self.names[value]
        return self._column(value)

    def _column(self, key: Any) -> str:
        if key not in self.names:
            self.loop.columns.append(key)
            self.names[key] = "rows" if key == "rows" else f"v{len(self.names)}"
        return self.names[key]

    def _render(self, given: Any) -> str:
        if isinstance(given, (list, tuple)):
            return f"[{', '.join(map(self._render, given))}]"
        if isinstance(given, Value):
            return self._name(given)
        if isinstance(given, Size):
            return f"{given.times} * {self._column('rows')}"
        if given is None or isinstance(given, (bool, int)):
            return repr(given)
        if isinstance(given, float) and abs(given) < float("inf"):
            return repr(given)
        return self._in_scope(f"k{len(self.scope)}", given)

    def _finish(self) -> None:
        loop = self.loop
        parameters = ", ".join(["steps", *(self.names[v] for v in loop.free)])
        names = ", ".join(self.names[c] for c in loop.columns)
        body = [f"def loop({parameters}):", f"    for {names}, in steps:", *(f"        {line}" for line in self.lines)]
        loop.source = "\n".join(body) + "\n"
        if self.lines:
            exec(loop.source, self.scope)
            loop.function = self.scope["loop"]


def _pieces(value: Value) -> list[tuple[Value, int, int]]:
    """Return a concatenation's pieces, with first column and width."""
    dim, start, found = value.args[1] if len(value.args) > 1 else 0, 0, []
    for piece in value.args[0]:
        width = piece.shape[dim]
        found.append((piece, start, width))
        start += width
    return found


def _out_of(value: Value) -> tuple[Any, str] | None:
    """Return a function that computes the value into memory given to it, and the name of that argument."""
    if isinstance(value.op, str) or value.item is not None or value.rows is None or value.rows[0] != 0:
        return None
    if value.name in VIEWS:
        return None
    if (
        value.name == "rsub"
    ):  # torch.rsub takes no memory; a number less a tensor is written as torch.sub of two tensors
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
