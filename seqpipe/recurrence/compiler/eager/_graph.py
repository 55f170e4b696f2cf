"""A step as a graph with a symbolic batch size, built from two traces with different batch sizes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.recurrence.compiler.trace import Node, Recipes, Trace, Unplannable, trace_step

__all__ = [
    "StepGraph",
    "Size",
    "Value",
    "evaluate",
    "graph_of",
    "values_in_order",
    "make_value",
    "substitute",
    "values_in",
]

#: Difference between the two batch sizes.
_FURTHER_ROWS = 6


@dataclass(frozen=True)
class Size:
    """A symbolic size: ``times`` the number of rows of the batch."""

    times: int


@dataclass(eq=False, repr=False)
class Value:
    """One tensor of the step.

    Attributes
    ----------
    op : OpOverload or str
        The operation that computes it, or "input" or "constant".
    args, kwargs
        As in torch, with values in place of tensors, and symbolic sizes.
    item : int or None
        Index among the results, for an operation with several.
    call : object
        Shared by all results of one call.
    shape : tuple of int and Size
    depends : frozenset of str
        The inputs that it depends on: "x", "state", "output_grad", "state_grad".
    """

    op: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    shape: tuple[int | Size, ...]
    dtype: torch.dtype
    line: str = ""
    item: int | None = None
    call: object = None
    depends: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The operation's name, without its overload."""
        return self.op if isinstance(self.op, str) else self.op.overloadpacket.__name__

    @cached_property
    def rows(self) -> tuple[int, int] | None:
        """The batch dimension and the number of rows per sample, or None without a batch dimension."""
        return next(((d, s.times) for d, s in enumerate(self.shape) if isinstance(s, Size)), None)

    @property
    def is_free(self) -> bool:
        """Whether it is the same at every step: computed from parameters alone."""
        return not self.depends and self.rows is None

    @property
    def level(self) -> int:
        """The first loop in which it can be computed: 0 before both, 1 forward, 2 backward."""
        return 2 if "state_grad" in self.depends else int("state" in self.depends)

    def like(self, op: Any, *args: Any, shape: tuple[int | Size, ...] | None = None, **kwargs: Any) -> Value:
        """Return a value of the same dtype and line, computed by another operation."""
        return make_value(op, args, kwargs, self.shape if shape is None else shape, self.dtype, self.line)

    def rebuilt(self, made: dict[Value, Value]) -> Value:
        """Return the value with its arguments replaced by those in ``made``; itself if none changed."""
        if all(made[a] is a for a in values_in((self.args, self.kwargs))):
            return self
        args, kwargs = substitute((self.args, self.kwargs), made.__getitem__, lambda size: size)
        value = make_value(self.op, args, kwargs, self.shape, self.dtype, self.line)
        value.item, value.call = self.item, self.call
        return value


@dataclass
class StepGraph:
    """A step, forward and backward, as values; the attributes are those of `Trace`."""

    x: Value
    output_grad: Value
    output: Value
    recipes: Recipes
    parameters: list[Value] = field(default_factory=list)
    states: list[Value] = field(default_factory=list)
    state_grads: list[Value] = field(default_factory=list)
    new_states: list[Value] = field(default_factory=list)
    grads: list[Value | None] = field(default_factory=list)

    @property
    def forward_goals(self) -> list[Value]:
        """The output and the new states."""
        return [self.output, *self.new_states]

    @property
    def gradients(self) -> list[Value]:
        """The gradients that are not None."""
        return [g for g in self.grads if g is not None]

    @property
    def grads_of_states(self) -> list[Value | None]:
        """The gradients of the states before the step."""
        return self.grads[len(self.parameters) + 1 :]

    def map(self, function: Callable[[Value], Value]) -> None:
        """Replace every goal by ``function`` of it."""
        self.output = function(self.output)
        self.new_states = [function(v) for v in self.new_states]
        self.grads = [None if g is None else function(g) for g in self.grads]


def make_value(
    op: Any, args: tuple[Any, ...], kwargs: dict[str, Any], shape: tuple[int | Size, ...], dtype: torch.dtype, line: str
) -> Value:
    """Return a value that depends on the union of its arguments' dependencies."""
    depends = frozenset[str]().union(*(v.depends for v in values_in((args, kwargs))))
    return Value(op, args, kwargs, shape, dtype, line, depends=depends)


def graph_of(cell: Cell, *, input_grad: bool, parameter_grads: tuple[bool, ...]) -> StepGraph:
    """Trace a cell's step twice and infer from the differences which sizes depend on the batch.

    Raises
    ------
    Unplannable
        If the step cannot be traced, or its operations depend on the batch size.
    """
    first = trace_step(cell, input_grad=input_grad, parameter_grads=parameter_grads)
    other_size = first.batch_size + _FURTHER_ROWS
    second = trace_step(cell, input_grad=input_grad, parameter_grads=parameter_grads, batch_size=other_size)
    return _Pairing(first, second).graph()


class _Pairing:
    """Traverses two traces of the same step in parallel."""

    def __init__(self, first: Trace, second: Trace) -> None:
        self.first, self.second = first, second
        self.values: dict[int, Value] = {}

    def graph(self) -> StepGraph:
        a, b = self.first, self.second
        parameters = [self._input(n, m) for n, m in zip(a.parameters, b.parameters)]
        graph = StepGraph(
            self._input(a.x, b.x, "x"),
            self._input(a.output_grad, b.output_grad, "output_grad"),
            output=None,  # type: ignore[arg-type]  # needs the inputs
            recipes=a.recipes,
            parameters=parameters,
            states=[self._input(n, m, "state") for n, m in zip(a.states, b.states)],
            state_grads=[self._input(n, m, "state_grad") for n, m in zip(a.state_grads, b.state_grads)],
        )
        graph.output = self.pair(a.output, b.output)
        graph.new_states = [self.pair(n, m) for n, m in zip(a.new_states, b.new_states)]
        graph.grads = [
            None if n is None or m is None else self.pair(n, m) for n, m in zip(a.grads, b.grads, strict=True)
        ]
        return graph

    def _input(self, n: Node, m: Node, *depends: str) -> Value:
        value = Value("input", (), {}, self._shape(n, m), n.value.dtype, depends=frozenset(depends))
        self.values[id(n)] = value
        return value

    def pair(self, n: Node, m: Node) -> Value:
        """Return the value of two corresponding nodes."""
        stack = [(n, m)]
        while stack:  # not recursive: long steps would exhaust Python's stack
            a, b = stack[-1]
            if id(a) in self.values:
                stack.pop()
                continue
            if a.op == "overlaid":
                raise Unplannable(f"it changes a part of a tensor in place{a.line}")
            given, others = _nodes_in((a.args, a.kwargs)), _nodes_in((b.args, b.kwargs))
            if a.op != b.op or len(given) != len(others):
                raise Unplannable(f"its operations depend on the number of samples ({a.op}){a.line}")
            missing = [(p, q) for p, q in zip(given, others) if id(p) not in self.values]
            if missing:
                stack += missing
            else:
                self.values[id(a)] = self._make(a, b)
        return self.values[id(n)]

    def _make(self, a: Node, b: Node) -> Value:
        if a.op == "constant":
            if a.value.shape != b.value.shape or not torch.equal(a.value, b.value):
                raise Unplannable("it holds a tensor that depends on the number of samples")
            return Value("constant", (a.value,), {}, tuple(a.value.shape), a.value.dtype)
        kwargs = {k: v for k, v in a.kwargs.items() if k != "__item__"}
        args = self._together(a.args, b.args, a)
        value = make_value(a.op, args, self._together(kwargs, b.kwargs, a), self._shape(a, b), a.value.dtype, a.line)
        value.item = a.kwargs.get("__item__")
        value.call = value if value.item is None else id(a.args)
        return value

    def _together(self, a: Any, b: Any, node: Node) -> Any:
        if isinstance(a, Node):
            return self.values[id(a)]
        if isinstance(a, dict):
            return {k: self._together(v, b[k], node) for k, v in a.items()}
        if isinstance(a, (list, tuple)) and len(a) == len(b):
            return type(a)(self._together(v, w, node) for v, w in zip(a, b))
        return a if type(a) is type(b) and a == b else self._size(a, b, node)

    def _shape(self, a: Node, b: Node) -> tuple[int | Size, ...]:
        shapes = tuple(a.value.shape), tuple(b.value.shape)
        if len(shapes[0]) != len(shapes[1]):
            raise Unplannable(f"its operations depend on the number of samples ({a.op}){a.line}")
        shape = tuple(n if n == m else self._size(n, m, a) for n, m in zip(*shapes))
        if sum(isinstance(s, Size) for s in shape) > 1:
            raise Unplannable(f"{a.op} mixes samples{a.line}")
        return shape

    def _size(self, n: Any, m: Any, node: Node) -> Size:
        if isinstance(n, int) and isinstance(m, int) and n * self.second.batch_size == m * self.first.batch_size:
            return Size(n // self.first.batch_size)
        if isinstance(n, int) and isinstance(m, int):
            raise Unplannable(f"{node.op} depends on the number of samples{node.line}")
        raise Unplannable(f"{node.op} takes a number that changes between calls{node.line}")


def _nodes_in(value: Any) -> list[Node]:
    return _found_in(value, Node)


def values_in(value: Any) -> list[Value]:
    """Return the values among arguments."""
    return _found_in(value, Value)


def _found_in(value: Any, kind: type) -> list[Any]:
    if isinstance(value, kind):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [n for item in value for n in _found_in(item, kind)]
    return []


def substitute(given: Any, tensor: Callable[[Value], Any], size: Callable[[Size], Any]) -> Any:
    """Return arguments with ``tensor`` applied to each value and ``size`` to each symbolic size."""
    if isinstance(given, Value):
        return tensor(given)
    if isinstance(given, Size):
        return size(given)
    if isinstance(given, dict):
        return {k: substitute(v, tensor, size) for k, v in given.items()}
    if isinstance(given, (list, tuple)):
        return type(given)(substitute(v, tensor, size) for v in given)
    return given


def values_in_order(goals: Iterable[Value], among: Callable[[Value], bool] = lambda v: True) -> list[Value]:
    """Return the goals and their arguments in topological order, restricted to values that are ``among``."""
    done: dict[Value, None] = {}
    stack = list(goals)[::-1]
    while stack:
        value = stack[-1]
        if value in done or not among(value):
            stack.pop()
            continue
        missing = [v for v in values_in((value.args, value.kwargs)) if v not in done and among(v)]
        if missing:
            stack += missing[::-1]
        else:
            done[stack.pop()] = None
    return list(done)


def _given(argument: Any, known: dict[Value, Tensor], n_rows: int) -> Any:
    """Return an argument as passed to torch; faster than `substitute`, as it runs for every batch."""
    if isinstance(argument, Value):
        return known[argument]
    if isinstance(argument, Size):
        return argument.times * n_rows
    return [_given(a, known, n_rows) for a in argument] if isinstance(argument, (list, tuple)) else argument


def evaluate(
    values: Iterable[Value], known: dict[Value, Tensor], n_rows: int, but: Collection[Value] = frozenset()
) -> None:
    """Compute values except ``but``, in order and for all rows at once, and add the results to ``known``."""
    calls: dict[object, Any] = {}
    for value in values:
        if value in known or value in but:
            continue
        if value.op == "constant":
            known[value] = value.args[0]
            continue
        result = calls.get(value.call) if value.item is not None else None
        if result is None:
            args = [_given(a, known, n_rows) for a in value.args]
            kwargs = {k: _given(a, known, n_rows) for k, a in value.kwargs.items()}
            result = value.op(*args, **kwargs)
        if value.item is None:
            known[value] = result
        else:
            calls[value.call] = result
            known[value] = result[value.item]
