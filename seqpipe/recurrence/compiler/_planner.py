"""The planner: what each node of a trace stands for, found by one rule an operation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler._atoms import Const, Reduction, Vector, elementwise
from seqpipe.recurrence.compiler._program import Free, Program, Step
from seqpipe.recurrence.compiler._rows import Refused, Rows, Turned, combine, input_rows
from seqpipe.recurrence.compiler._trace import Node, Trace, Unplannable

__all__ = ["Planner", "Rule", "RuleBook", "nodes_in", "rows_of", "value_of"]

Rule = Callable[["Planner", Node], Any]


class RuleBook(dict[str, Rule]):
    """Rules by the names of operations, without overload."""

    def of(self, *names: str) -> Callable[[Rule], Rule]:
        """Register the function that is decorated."""

        def register(function: Rule) -> Rule:
            self.update(dict.fromkeys(names, function))
            return function

        return register


class Planner:
    """Plans one trace."""

    def __init__(self, trace: Trace, rules: Mapping[str, Rule]) -> None:
        self.rules = rules
        self.trace = trace
        self.program = Program()
        self.values: dict[int, Any] = {}

    def run(self) -> Program:
        trace, program = self.trace, self.program
        for node in trace.parameters:
            self.values[id(node)] = self._new_slot(node.value)
        for source, nodes in (
            ("x", [trace.x]),
            ("state", trace.states),
            ("output_grad", [trace.output_grad]),
            ("state_grad", trace.state_grads),
        ):
            for i, node in enumerate(nodes):
                self.values[id(node)] = input_rows(source, i, node.value)
        program.output = self._rows(trace.output).atoms
        program.new_states = [self._rows(n).atoms for n in trace.new_states]
        n = len(trace.parameters)
        program.parameter_grads = [None if g is None else self._free(g) for g in trace.grads[:n]]
        program.x_grad = None if trace.grads[n] is None else self._rows(trace.grads[n]).atoms
        for node, grad in zip(trace.states, trace.grads[n + 1 :]):
            width = math.prod(node.value.shape[1:])
            program.state_grads.append((Const(0.0, width),) if grad is None else self._rows(grad).atoms)
        return program

    def _new_slot(self, value: Tensor, *, late: bool = False) -> Free:
        slot = self.program.n_slots
        self.program.n_slots += 1
        self.program.shapes[slot] = tuple(value.shape)
        return Free(slot, late)

    def _rows(self, node: Any) -> Rows:
        value = self.value(node)
        if isinstance(value, Free) and not value.late:  # the same for every sample
            shape = tuple(node.value.shape)
            if len(shape) == 2 and shape[0] == 1:
                shape = shape[1:]
            if len(shape) == 1:
                return Rows(
                    (elementwise("add", (Vector(value.slot, 0, shape[0]), Const(0.0, shape[0])), shape[0]),), shape
                )
        if not isinstance(value, Rows):
            raise Unplannable(f"{name_of(node)} has no row for each sample{node.line}")
        return value

    def _free(self, node: Node) -> Free:
        value = self.value(node)
        if not isinstance(value, Free):
            raise Unplannable(f"{name_of(node)} gives a parameter's gradient with a row for each sample{node.line}")
        return value

    def value(self, node: Any) -> Any:
        """Return what a node of the trace stands for: its planning is put off until it is asked for."""
        stack = [node]
        while stack:  # a loop, for long steps would exhaust Python's stack
            top = stack[-1]
            if id(top) in self.values:
                stack.pop()
                continue
            missing = [n for n in nodes_in((top.args, top.kwargs)) if id(n) not in self.values]
            if missing:
                stack += missing
                continue
            self.values[id(top)] = self._plan(top)
        return self.values[id(node)]

    def _plan(self, node: Node) -> Any:
        if node.op == "constant":
            free = self._new_slot(node.value)
            self.program.constants[free.slot] = node.value
            return free
        given = [self.values[id(n)] for n in nodes_in((node.args, node.kwargs))]
        if not any(isinstance(v, (Rows, Turned)) for v in given) and not (
            not given and self.trace.batch_size in tuple(node.value.shape)
        ):
            return self.run_in_torch(node, late=any(v.late for v in given))
        name = node.op.overloadpacket.__name__
        rule = self.rules.get(name)
        if rule is None:
            raise Unplannable(f"{name_of(node)} is an operation that it does not know{node.line}")
        try:
            return rule(self, node)
        except Refused as refusal:
            raise Unplannable(f"{name_of(node)} {refusal}{node.line}") from None

    def run_in_torch(self, node: Node, *, late: bool) -> Free:
        free = self._new_slot(node.value, late=late)
        replace = lambda n: self.values[id(n)]  # noqa: E731
        kwargs = {k: v for k, v in node.kwargs.items() if k != "__item__"}
        step = Step(
            free.slot, node.op, map_nodes(node.args, replace), map_nodes(kwargs, replace), node.kwargs.get("__item__")
        )
        (self.program.late if late else self.program.early).append(step)
        return free

    # What the rules are made of.

    def reduce(self, reduction: Reduction) -> int:
        if reduction not in self.program.reductions:
            self.program.reductions[reduction] = self.program.n_slots
            self.program.n_slots += 1
        return self.program.reductions[reduction]

    def assemble(self, node: Node, blocks: list[list[int | None]], make: Callable[..., Tensor]) -> Free:
        """Let torch put a value together from reductions after the loops."""
        free = self._new_slot(node.value, late=True)
        slots = [[None if b is None else Free(b, True) for b in row] for row in blocks]
        self.program.late.append(Step(free.slot, make, (slots,), {}, None))
        return free

    def operand(self, value: Any, ndim: int) -> Rows | list[Vector] | float:
        """Return an operand of an elementwise operation."""
        if isinstance(value, Node):
            found = self.values[id(value)]
            if isinstance(found, Rows):
                return found
            if isinstance(found, Free) and not found.late:
                shape = tuple(value.value.shape)
                if math.prod(shape[:-1]) == 1 and len(shape) <= ndim:
                    return [Vector(found.slot, 0, shape[-1] if shape else 1)]
            raise Refused("mixes samples, or a gradient, into an elementwise operation")
        if isinstance(value, (int, float)):
            return float(value)
        raise Refused(f"has an argument of type {type(value).__name__}")

    def pointwise(self, op: str, node: Node, *operands: Any) -> Rows:
        """Apply an elementwise operation to nodes, rows or numbers."""
        shape = tuple(node.value.shape)
        if not node.value.dtype.is_floating_point and node.value.dtype != torch.bool:
            raise Refused(f"gives {node.value.dtype}")
        if not shape or shape[0] != self.trace.batch_size:
            raise Refused("loses the rows of the batch")
        found = [o if isinstance(o, Rows) else self.operand(o, len(shape)) for o in operands]
        return combine(op, found, shape)


def nodes_in(value: Any) -> list[Node]:
    if isinstance(value, Node):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [n for item in value for n in nodes_in(item)]
    return []


def map_nodes(value: Any, function: Callable[[Node], Any]) -> Any:
    if isinstance(value, Node):
        return function(value)
    if isinstance(value, dict):
        return {k: map_nodes(v, function) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map_nodes(v, function) for v in value)
    return value


def name_of(node: Node) -> str:
    return node.op if isinstance(node.op, str) else str(node.op)


def value_of(planner: Planner, node: Any) -> Any:
    value = planner.values[id(node)]
    if isinstance(value, Rows):
        return value
    if isinstance(value, Turned):
        raise Refused("works on transposed rows")
    return value


def rows_of(planner: Planner, node: Any) -> Rows:
    value = value_of(planner, node)
    if not isinstance(value, Rows):
        raise Refused("has no row for each sample")
    return value
