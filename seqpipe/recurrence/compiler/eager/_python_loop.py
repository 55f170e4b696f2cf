"""A loop over time as lines of Python, each a torch call that writes into preallocated memory."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

import torch

from seqpipe.recurrence.compiler.eager._graph import Size, Value
from seqpipe.recurrence.compiler.eager._memory_plan import Place, out_of, pieces_of, plan_memory
from seqpipe.recurrence.compiler.eager._phases import VIEWS
from seqpipe.recurrence.compiler.eager._workload import multiplications
from seqpipe.recurrence.engines import POLICY, ThreadPolicy

__all__ = ["PythonLoop", "write_loop"]


@dataclass
class PythonLoop:
    """A loop's code and its arguments.

    Attributes
    ----------
    source : str
    columns : list
        Arguments with one tensor per step: values, states to write ("state", number), slots of concatenations
        ("slot", value, start, width), stacked copies ("copy", value), or "rows".
    pieces : list
        Arguments with one tensor per run of steps.
    free : list of Value
        Values that are the same at every step.
    places : dict
        Memory of the loop's values.
    sums : list of Value
        Values that are summed over steps.
    ahead, behind : set of Value
        Values computed per run of steps, before and after these.
    stacked : set of Value
        Values needed at all steps after the loop.
    shares_runs : bool
        Whether a run has products large enough for more threads than a step.
    """

    source: str = ""
    columns: list[Any] = field(default_factory=list)
    pieces: list[Any] = field(default_factory=list)
    free: list[Value] = field(default_factory=list)
    places: dict[Value, Place] = field(default_factory=dict)
    sums: list[Value] = field(default_factory=list)
    ahead: set[Value] = field(default_factory=set)
    behind: set[Value] = field(default_factory=set)
    stacked: set[Value] = field(default_factory=set)
    shares_runs: bool = False
    function: Any = None

    @cached_property
    def width(self) -> int:
        """The largest number of elements per row of a value computed per run."""
        wide = [v.shape for v in (*self.ahead, *self.behind) if v.rows is not None and v.name not in VIEWS]
        return max((math.prod(s.times if isinstance(s, Size) else s for s in shape) for shape in wide), default=1)


def write_loop(
    values: list[Value],
    targets: list[Value | None],
    stacked: Iterable[Value],
    ahead: Iterable[Value] = (),
    behind: Iterable[Value] = (),
    policy: ThreadPolicy = POLICY,
) -> PythonLoop:
    """Write a loop.

    Parameters
    ----------
    values : list of Value
        Values computed at each step, in order.
    targets : list of Value or None
        The value of each state for the next step; None if the loop does not compute it.
    stacked : iterable of Value
        Values needed at all steps after the loop.
    ahead, behind : iterable of Value
        Values computed per run of steps, before and after these.
    policy : ThreadPolicy, default=POLICY
        Decides which products of a run use several threads.
    """
    return _Writer(values, targets, set(stacked), list(ahead), list(behind), policy).loop


class _Writer:
    def __init__(
        self,
        values: list[Value],
        targets: list[Value | None],
        stacked: set[Value],
        ahead: list[Value],
        behind: list[Value],
        policy: ThreadPolicy,
    ) -> None:
        self.policy = policy
        self.loop = PythonLoop(stacked=stacked, ahead=set(ahead), behind=set(behind))
        self.loop.places = plan_memory(ahead, values, behind, targets, stacked)
        self.scope: dict[str, Any] = {"torch": torch, "islice": islice, "threads": torch.set_num_threads}
        self.names: dict[Any, str] = {}
        self.keys = self.loop.pieces
        before, after = self._lines_of(ahead), self._lines_of(behind)
        self.names = {v: name for v, name in self.names.items() if isinstance(v, Value) and v.is_free}
        self.keys = self.loop.columns
        self.lines = self._lines_of(values)
        for number, target in enumerate(targets):
            if target is not None and self._place(target) != Place("state", number=number):
                self.lines.append(f"{self._column(('state', number))}.copy_({self._name(target)})")
        self._finish(before, after)

    def _lines_of(self, values: list[Value]) -> list[str]:
        self.lines = []
        for value in values:
            start = len(self.lines)
            self._write(value)
            if self.keys is self.loop.pieces and multiplications(value) >= self.policy.row_of_run:
                self.loop.shares_runs = True
                self.lines[start:] = ["threads(many)", *self.lines[start:], "threads(few)"]
        return self.lines

    def _place(self, value: Value) -> Place | None:
        return self.loop.places.get(value)

    def _write(self, value: Value) -> None:
        place = self.loop.places[value]
        if place.kind == "view":  # becomes a column when it is read
            return
        if place.kind in ("local", "sum"):
            (self._write_local if place.kind == "local" else self._write_sum)(value)
            return
        if value.name == "cat" and self._write_missing_pieces(value):
            return
        if value.name == "expand_copy":  # copy_ is several times faster
            self.lines.append(f"{self._column(value)}.copy_({self._render(value.args[0])})")
            return
        function, out = out_of(value)  # type: ignore[misc]
        args, kwargs = value.args, dict(value.kwargs)
        if value.name == "rsub":
            function, args = torch.sub, (self._scalar(value), args[0])
        rendered = [*map(self._render, args), *(f"{k}={self._render(v)}" for k, v in kwargs.items())]
        in_place = getattr(torch, f"{value.name}_", None)
        if place.kind == "same" and place.of is args[0] and in_place is not None:
            self.lines.append(f"{self._in_scope(f'{value.name}_', in_place)}({', '.join(rendered)})")
            return
        quick = function is getattr(torch, value.name, None)
        name = self._in_scope(value.name if quick else f"{value.name}_out", function)
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
        name = self.names[value] = f"a{len(self.names)}"
        self.lines.append(f"{name} = {call}")
        if value in self.loop.stacked:
            self.lines.append(f"{self._column(('copy', value))}.copy_({name})")

    def _write_sum(self, value: Value) -> None:
        self.loop.sums.append(value)
        name = f"s{len(self.loop.sums)}"
        if value.name == "mm":
            factors = ", ".join(map(self._render, value.args))
            self.lines.append(f"{self._in_scope('addmm', torch.addmm)}({name}, {factors}, out={name})")
        elif value.name == "sum" and len(value.args) == 3 and not value.kwargs:
            self.lines.append(f"{name}.add_(torch.sum({', '.join(map(self._render, value.args))}))")
        else:
            self.lines.append(f"{name}.add_({self._call(value)})")

    def _call(self, value: Value) -> str:
        rendered = [*map(self._render, value.args), *(f"{k}={self._render(v)}" for k, v in value.kwargs.items())]
        return f"{self._in_scope(f'{value.name}_new', value.op)}({', '.join(rendered)})"

    def _write_missing_pieces(self, value: Value) -> bool:
        """Copy pieces that are computed elsewhere; return whether any was computed in place."""
        pieces = pieces_of(value)
        if not any(self._is_stored_in(piece, value, start) for piece, start, _ in pieces):
            return False
        self._column(value)
        for piece, start, width in pieces:
            if not self._is_stored_in(piece, value, start):
                self.lines.append(f"{self._column(('slot', value, start, width))}.copy_({self._name(piece)})")
        return True

    def _is_stored_in(self, piece: Value, value: Value, start: int) -> bool:
        return self._place(piece) == Place("columns", value, start)

    def _in_scope(self, name: str, value: Any) -> str:
        while self.scope.setdefault(name, value) is not value:
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
        place = self._place(key) if isinstance(key, Value) else None
        if place is not None and place.kind == "same":
            return self._column(place.of)
        if key not in self.names:
            letter = "v" if self.keys is self.loop.columns else "w"
            self.names[key] = f"{letter}{len(self.keys)}"
            self.keys.append(key)
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

    def _finish(self, before: list[str], after: list[str]) -> None:
        loop = self.loop
        given = [*(f"s{k + 1}" for k in range(len(loop.sums))), *(f"p{k + 1}" for k in range(len(loop.free)))]
        inner = [f"for {_names('v', loop.columns)} in {{}}:", *_indented(self.lines)]
        if loop.ahead or loop.behind:
            names = _names("w", loop.pieces)
            if loop.shares_runs:
                given = ["few", "many", *given]
            body = [f"for n, {names} in runs:", *_indented([*before, *inner, *after])]
            given, steps = ["runs", *given], "islice(steps, n)"
        else:
            body, steps = inner, "steps"
        source = [f"def loop({', '.join(['steps', *given])}):", *_indented(body)]
        loop.source = "\n".join(source).replace("{}", steps) + "\n"
        if self.lines:
            exec(loop.source, self.scope)
            loop.function = self.scope["loop"]


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _names(letter: str, keys: list[Any]) -> str:
    return "".join(f"{letter}{k}, " for k in range(len(keys))).rstrip()
