"""The planner: translates each node of a trace by a rule per operation, or by decomposing the operation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler.program._atoms import Atom, Const, Reduction, Vector, elementwise
from seqpipe.recurrence.compiler.program._complex import ComplexParts, on_parts
from seqpipe.recurrence.compiler.program._decompositions import DECOMPOSITIONS
from seqpipe.recurrence.compiler.program._rows import Refused, Rows, aligned, combine, input_rows
from seqpipe.recurrence.compiler.program._step_program import Free, FreeCall, StepProgram
from seqpipe.recurrence.compiler.trace import Node, Trace, Unplannable, map_nodes, nodes_in, record

__all__ = ["Planner", "Rule", "rows_of"]

#: Operations that can turn a row-free value into one with rows.
_EXPANDING = frozenset({"expand", "repeat"})

Rule = Callable[["Planner", Node], Any]


class Planner:
    """Plan one trace."""

    def __init__(self, trace: Trace, rules: Mapping[str, Rule]) -> None:
        self.rules = rules
        self.trace = trace
        self.program = StepProgram()
        self.values: dict[int, Any] = {}
        self._calls: dict[int, list[Node]] = {}
        self._vectors: dict[tuple[int, tuple[int, ...] | None], int] = {}
        self._fixed: set[int] = set()
        self._parts: dict[int, ComplexParts] = {}
        self._recorded: list[list[Any]] = []

    @property
    def batch(self) -> int:
        """Batch size of the traced step."""
        return self.trace.batch_size

    def run(self) -> StepProgram:
        """Return the program of the traced step."""
        trace, program = self.trace, self.program
        program.projected, program.x_width = trace.projected, math.prod(trace.x.value.shape[1:])
        program.recipes = trace.recipes
        for node in trace.parameters:
            self.values[id(node)] = self._new_slot(node.value)
        for source, nodes in (
            ("x", [trace.x]),
            ("state", trace.states),
            ("output_grad", [trace.output_grad]),
            ("state_grad", trace.state_grads),
        ):
            for i, node in enumerate(nodes):
                self.values[id(node)] = self._input(source, i, node)
        program.output = self._rows(trace.output).atoms
        program.new_states = [self._state(n) for n in trace.new_states]
        n = len(trace.parameters)
        program.parameter_grads = [None if g is None else self._free(g) for g in trace.grads[:n]]
        program.x_grad = None if trace.grads[n] is None else self._rows(trace.grads[n]).atoms
        for node, grad in zip(trace.states, trace.grads[n + 1 :]):
            width = math.prod(node.value.shape[1:]) * (2 if node.value.is_complex() else 1)
            program.state_grads.append((Const(0.0, width),) if grad is None else self._state(grad))
        return program

    def _input(self, source: str, index: int, node: Node) -> Rows | ComplexParts:
        """Return the rows of an input; complex ones are stored with all real parts first."""
        if not node.value.is_complex():
            return input_rows(source, index, node.value)
        both = Node("input", (), {}, torch.stack([node.value.real, node.value.imag], dim=1), "")
        self.values[id(both)] = input_rows(source, index, both.value)
        return ComplexParts(*self.record(lambda z: (z[:, 0], z[:, 1]), (both,), {}, ""))

    def _state(self, node: Node) -> tuple[Atom, ...]:
        value = self.value(node)
        if isinstance(value, ComplexParts):
            return (*self._rows(value.re).atoms, *self._rows(value.im).atoms)
        return self._rows(node).atoms

    def _new_slot(self, value: Tensor, *, late: bool = False) -> Free:
        slot = self.program.n_slots
        self.program.n_slots += 1
        self.program.shapes[slot] = tuple(value.shape)
        return Free(slot, late)

    def _rows(self, node: Any) -> Rows:
        value = self.value(node)
        if not isinstance(value, Rows):
            raise Unplannable(f"{name_of(node)} does not have one row per sample{node.line}")
        return value

    def _free(self, node: Node) -> Free:
        value = self.value(node)
        if not isinstance(value, Free):
            raise Unplannable(f"{name_of(node)} returns a parameter's gradient with one row per sample{node.line}")
        return value

    def value(self, node: Any) -> Any:
        """Return the planned value of a node, planned on first use."""
        stack = [node]
        while stack:  # not recursive, since long steps would exceed Python's recursion limit
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
            return self._constant(node.value)
        inner = nodes_in((node.args, node.kwargs))
        given = [self.values[id(n)] for n in inner]
        if not any(isinstance(v, (Rows, ComplexParts)) for v in given) and not self._adds_rows(node, given):
            lifted = name_of_rule(node) == "lift_fresh"  # a number in the step's code
            if all(id(n) in self._fixed or lifted for n in inner) and not any(v.late for v in given):
                return self.fix(node)
            return self.run_in_torch(node, late=any(v.late for v in given))
        try:
            return self._by_rule(node)
        except Refused as refusal:
            raise Unplannable(f"{name_of(node)} {refusal}{node.line}") from None

    def _adds_rows(self, node: Node, given: list[Any]) -> bool:
        """Return whether a node turns row-free values into one with equal rows."""
        if not given:
            return self.batch in tuple(node.value.shape)
        return (
            name_of_rule(node) in _EXPANDING
            and self.batch in tuple(node.value.shape)
            and self.batch not in tuple(node.args[0].value.shape)
            and not given[0].late
        ) or (
            name_of_rule(node).startswith(("new_", "zeros_like", "ones_like")) and self.batch in tuple(node.value.shape)
        )

    def _by_rule(self, node: Node) -> Any:
        if any(n.value.is_complex() for n in (node, *nodes_in((node.args, node.kwargs)))):
            return self._by_parts(node)
        rule = self.rules.get(name_of_rule(node))
        if rule is not None:
            return rule(self, node)
        function = DECOMPOSITIONS.get(name_of_rule(node))
        if function is None:
            raise Unplannable(f"{name_of(node)} is not supported{node.line}")
        return self.decomposed(node, function)

    def decomposed(self, node: Node, function: Callable[..., Any]) -> Any:
        """Plan a torch function of a node's arguments instead of its operation."""
        key = id(node.args)
        kwargs = {k: v for k, v in node.kwargs.items() if k != "__item__"}
        if key not in self._calls:
            self._calls[key] = self.record(function, node.args, kwargs, node.line)
        try:
            return self.value(self._calls[key][node.kwargs.get("__item__", 0)])
        except Unplannable as error:
            raise Unplannable(f"{name_of(node)} calls an operation that cannot be planned: {error}") from None

    def fix(self, node: Node) -> Free:
        """Return a constant that depends only on the code of the step."""
        self._fixed.add(id(node))
        return self._constant(node.value)

    def _by_parts(self, node: Node) -> Any:
        """Plan an operation on complex numbers as operations on their parts."""
        item = node.kwargs.get("__item__")
        function = on_parts(node.op, item)
        if function is None:
            raise Unplannable(f"{name_of(node)} is not supported for complex numbers{node.line}")
        if node.value.is_complex() and node.value.dtype != self.trace.x.value.dtype.to_complex():
            raise Refused(f"returns {node.value.dtype}")
        args, kwargs = map_nodes((node.args, {k: v for k, v in node.kwargs.items() if k != "__item__"}), self._split)
        if not node.value.is_complex():
            return self.value(self.record(function, args, kwargs, node.line)[0])
        shape = node.value.shape
        parts = ComplexParts(*self.record(lambda *a, **k: _expanded(function(*a, **k), shape), args, kwargs, node.line))
        re, im = self.value(parts.re), self.value(parts.im)
        if not (isinstance(re, Free) and isinstance(im, Free)):
            return parts
        free = self._new_slot(node.value, late=re.late or im.late)
        step = FreeCall(free.slot, torch.complex, (re, im), {}, None)
        (self.program.late if free.late else self.program.early).append(step)
        return free

    def record(self, function: Callable[..., Any], args: Any, kwargs: Any, line: str) -> list[Any]:
        """Record further operations; the nodes are kept alive, because their values are stored by ``id``."""
        self._recorded.append(record(function, args, kwargs, line))
        return self._recorded[-1]

    def _split(self, node: Node) -> Node | ComplexParts:
        """Return the parts of a complex node."""
        value = self.values[id(node)]
        if isinstance(value, ComplexParts) or not node.value.is_complex():
            return value if isinstance(value, ComplexParts) else node
        if id(node) not in self._parts:
            self._parts[id(node)] = ComplexParts(*self.record(_real_and_imaginary, (node,), {}, node.line))
            for part in self._parts[id(node)]:
                self.value(part)
        return self._parts[id(node)]

    def _constant(self, value: Tensor) -> Free:
        free = self._new_slot(value)
        self.program.constants[free.slot] = value
        return free

    def run_in_torch(self, node: Node, *, late: bool) -> Free:
        """Let torch run a row-free operation before or after (late) the loops."""
        free = self._new_slot(node.value, late=late)
        replace = lambda n: self.values[id(n)]  # noqa: E731
        kwargs = {k: v for k, v in node.kwargs.items() if k != "__item__"}
        step = FreeCall(
            free.slot, node.op, map_nodes(node.args, replace), map_nodes(kwargs, replace), node.kwargs.get("__item__")
        )
        (self.program.late if late else self.program.early).append(step)
        return free

    def early(self, function: Callable[..., Tensor], slot: int, value: Tensor) -> int:
        """Let torch compute a function of a row-free value before the loops; return the result's slot."""
        free = self._new_slot(function(value.detach()))
        self.program.early.append(FreeCall(free.slot, function, (Free(slot, late=False),), {}, None))
        return free.slot

    # Building blocks of rules.

    def reduce(self, reduction: Reduction) -> int:
        """Return the slot of a reduction."""
        if reduction not in self.program.reductions:
            self.program.reductions[reduction] = self.program.n_slots
            self.program.n_slots += 1
        return self.program.reductions[reduction]

    def assemble(self, node: Node, blocks: list[list[int | None]], make: Callable[..., Tensor]) -> Free:
        """Let torch compute a node's value from the slots of reductions after the loops."""
        return self.assemble_value(node.value, blocks, make)

    def assemble_value(self, value: Tensor, blocks: list[list[int | None]], make: Callable[..., Tensor]) -> Free:
        """Let torch compute a value of the same shape and dtype from the slots of reductions after the loops."""
        return self.late(make, value, [[None if b is None else Free(b, True) for b in row] for row in blocks])

    def late(self, function: Callable[..., Tensor], value: Tensor, *args: Any) -> Free:
        """Let torch compute a value from row-free values after the loops."""
        free = self._new_slot(value, late=True)
        self.program.late.append(FreeCall(free.slot, function, args, {}, None))
        return free

    def real_slot(self, node: Node) -> int:
        """Return the slot of a row-free value in the dtype of the loops."""
        return self._as_real(self.values[id(node)].slot, node.value)

    def pointwise(self, op: str, node: Node, *operands: Any) -> Rows:
        """Apply an elementwise operation to nodes, rows or numbers."""
        shape = tuple(node.value.shape)
        if node.value.is_complex() or (node.value.is_floating_point() and node.value.dtype != self.trace.x.value.dtype):
            raise Refused(f"returns {node.value.dtype}")
        found = [self._operand(o) for o in operands]
        broadcast = [aligned(o, shape, self.batch) if isinstance(o, Rows) else o for o in found]
        outers = {o.outer for o in broadcast if isinstance(o, Rows)}
        if len(outers) != 1:
            raise Refused("mixes samples")
        outer = outers.pop()
        planned = [o if isinstance(o, (Rows, float)) else self.vector(o, shape, outer) for o in broadcast]
        return combine(op, planned, shape, outer, math.prod(shape) // self.batch)

    def _operand(self, value: Any) -> Rows | Node | float:
        """Return rows, a row-free node, or a number."""
        if isinstance(value, Rows):
            return value
        if isinstance(value, (int, float)):
            return float(value)
        if not isinstance(value, Node):
            raise Refused(f"has an argument of type {type(value).__name__}")
        found = self.values[id(value)]
        if isinstance(found, Rows):
            return found
        if not isinstance(found, Free) or found.late:
            raise Refused("mixes samples, or a gradient, in an elementwise operation")
        return float(value.value) if id(value) in self._fixed and value.value.ndim == 0 else value

    def vector(self, node: Node, shape: tuple[int, ...], outer: int) -> Vector:
        """Return the columns of a row-free value when broadcast to rows of some shape."""
        value = node.value
        slot = self._as_real(self.values[id(node)].slot, value)
        width = math.prod(shape) // self.batch
        last = value.shape[-1] if value.ndim else 1
        if value.numel() == last and last in (1, width):
            return Vector(slot, 0, last)
        columns = self._broadcast_columns(value, shape, outer)
        if len(set(columns)) == 1 and value.ndim <= 1:
            return Vector(slot, columns[0], 1)
        in_order = columns == tuple(range(value.numel()))
        key = (slot, None if in_order else columns)
        if key not in self._vectors:
            index = torch.tensor(columns)
            function = (lambda t: t.reshape(-1)) if in_order else (lambda t: t.reshape(-1)[index])
            self._vectors[key] = self.early(function, slot, value.to(self.trace.x.value.dtype))
        return Vector(self._vectors[key], 0, len(columns))

    def _broadcast_columns(self, value: Tensor, shape: tuple[int, ...], outer: int) -> tuple[int, ...]:
        index = torch.arange(value.numel()).view(value.shape)
        grid = index.expand(shape).reshape(outer, self.batch, -1)
        if not torch.equal(grid, grid[:, :1].expand_as(grid)):
            raise Refused("mixes samples in an elementwise operation")
        return tuple(grid[:, 0].reshape(-1).tolist())

    def _as_real(self, slot: int, value: Tensor) -> int:
        """Return the slot of a value converted to the dtype of the loops."""
        real = self.trace.x.value.dtype
        if value.dtype == real:
            return slot
        if value.is_complex():
            raise Refused(f"has an argument of type {value.dtype}")
        key = (slot, ())
        if key not in self._vectors:
            self._vectors[key] = self.early(lambda t: t.to(real), slot, value)
        return self._vectors[key]

    def add_rows(self, node: Node) -> Rows:
        """Return the equal rows that a node creates from a row-free value."""
        source = node.args[0].value
        index = torch.arange(source.numel()).view(source.shape)
        shape = tuple(node.value.shape)
        axis = shape.index(self.batch)
        outer = math.prod(shape[:axis])
        grid = node.op(index, *node.args[1:]).reshape(outer, self.batch, -1)[:, 0].reshape(-1)
        slot = self._as_real(self.values[id(node.args[0])].slot, source)
        where = grid.clone()
        picked = self.early(lambda t: t.reshape(-1)[where], slot, source.to(self.trace.x.value.dtype))
        return Rows((elementwise("copy", (Vector(picked, 0, len(where)),), len(where)),), shape, outer)

    def constant_of(self, node: Any) -> Tensor:
        """Return a constant tensor: the same at every step of every cell with this plan."""
        source = node
        while isinstance(source, Node) and name_of_rule(source) in ("expand", "repeat", "unsqueeze", "view"):
            source = source.args[0]
        if isinstance(source, Node) and (source.op == "constant" or id(source) in self._fixed):
            value: Tensor = node.value
            return value
        raise Refused("uses computed indices")


def _real_and_imaginary(z: Tensor) -> tuple[Tensor, ...]:
    return torch.view_as_real(z.resolve_conj()).unbind(-1)


def _expanded(parts: ComplexParts, shape: torch.Size) -> ComplexParts:
    return ComplexParts(*(part if part.shape == shape else part.expand(shape) for part in parts))


def name_of(node: Node) -> str:
    return node.op if isinstance(node.op, str) else str(node.op)


def name_of_rule(node: Node) -> str:
    return node.op if isinstance(node.op, str) else node.op.overloadpacket.__name__


def rows_of(planner: Planner, node: Any) -> Rows:
    """Return the rows of a planned node.

    Raises
    ------
    Refused
        If its value has no rows.
    """
    value = planner.values[id(node)]
    if isinstance(value, Rows):
        return value
    raise Refused("does not have one row per sample")
