"""From the trace of a step to a program of atoms: what the loops compute, and what torch computes before and after."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler._atoms import (
    Atom,
    ColumnSum,
    Const,
    Input,
    Matrix,
    OuterSum,
    Reduction,
    Vector,
    elementwise,
    product,
    row_sum,
    split,
)  # fmt: skip
from seqpipe.recurrence.compiler._trace import Node, Trace, Unplannable

__all__ = ["Program", "Rows", "make_program", "run_steps"]

_ATEN = torch.ops.aten


@dataclass(frozen=True)
class Rows:
    """A value with a row for each sample: its atoms side by side, and its shape with the batch in front."""

    atoms: tuple[Atom, ...]
    shape: tuple[int, ...]

    @property
    def width(self) -> int:
        return sum(a.width for a in self.atoms)


@dataclass(frozen=True)
class _Turned:
    """Rows, transposed."""

    rows: Rows


@dataclass(frozen=True)
class Free:
    """A value without rows: a slot that torch fills before the loops, or after them where reductions are needed."""

    slot: int
    late: bool


@dataclass
class Step:
    """One operation that torch runs outside the loops."""

    slot: int
    op: Callable[..., Any]
    args: Any
    kwargs: dict[str, Any]
    item: int | None


@dataclass
class Program:
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
    early, late : list of Step
        What torch runs before the loops, and after.
    n_slots : int
        Row-free values; the first ones are the parameters and buffers.
    shapes : dict of int to tuple of int
        Shapes of the row-free values that atoms read.
    """

    output: tuple[Atom, ...] = ()
    new_states: list[tuple[Atom, ...]] = field(default_factory=list)
    x_grad: tuple[Atom, ...] | None = None
    state_grads: list[tuple[Atom, ...]] = field(default_factory=list)
    parameter_grads: list[Free | None] = field(default_factory=list)
    reductions: dict[Reduction, int] = field(default_factory=dict)
    early: list[Step] = field(default_factory=list)
    late: list[Step] = field(default_factory=list)
    constants: dict[int, Tensor] = field(default_factory=dict)
    shapes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    n_slots: int = 0


def run_steps(steps: Sequence[Step], values: list[Any]) -> None:
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


def make_program(trace: Trace) -> Program:
    """Plan a traced step.

    Raises
    ------
    Unplannable
        If an operation mixes samples, or is unknown.
    """
    return _Planner(trace).run()


class _Planner:
    def __init__(self, trace: Trace) -> None:
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
                self.values[id(node)] = _input(source, i, node.value)
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
            raise Unplannable(f"{_name(node)} has no row for each sample{node.line}")
        return value

    def _free(self, node: Node) -> Free:
        value = self.value(node)
        if not isinstance(value, Free):
            raise Unplannable(f"{_name(node)} gives a parameter's gradient with a row for each sample{node.line}")
        return value

    def value(self, node: Any) -> Any:
        """Return what a node of the trace stands for: its planning is put off until it is asked for."""
        stack = [node]
        while stack:  # a loop, for long steps would exhaust Python's stack
            top = stack[-1]
            if id(top) in self.values:
                stack.pop()
                continue
            missing = [n for n in _nodes_in((top.args, top.kwargs)) if id(n) not in self.values]
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
        given = [self.values[id(n)] for n in _nodes_in((node.args, node.kwargs))]
        if not any(isinstance(v, (Rows, _Turned)) for v in given) and not (
            not given and self.trace.batch_size in tuple(node.value.shape)
        ):
            return self._run_in_torch(node, late=any(v.late for v in given))
        name = node.op.overloadpacket.__name__
        rule = _RULES.get(name)
        if rule is None:
            raise Unplannable(f"{_name(node)} is an operation that it does not know{node.line}")
        try:
            return rule(self, node)
        except _Refused as refusal:
            raise Unplannable(f"{_name(node)} {refusal}{node.line}") from None

    def _run_in_torch(self, node: Node, *, late: bool) -> Free:
        free = self._new_slot(node.value, late=late)
        replace = lambda n: self.values[id(n)]  # noqa: E731
        kwargs = {k: v for k, v in node.kwargs.items() if k != "__item__"}
        step = Step(
            free.slot, node.op, _map_nodes(node.args, replace), _map_nodes(kwargs, replace), node.kwargs.get("__item__")
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
            raise _Refused("mixes samples, or a gradient, into an elementwise operation")
        if isinstance(value, (int, float)):
            return float(value)
        raise _Refused(f"has an argument of type {type(value).__name__}")

    def pointwise(self, op: str, node: Node, *operands: Any) -> Rows:
        """Apply an elementwise operation to nodes, rows or numbers."""
        shape = tuple(node.value.shape)
        if not node.value.dtype.is_floating_point and node.value.dtype != torch.bool:
            raise _Refused(f"gives {node.value.dtype}")
        if not shape or shape[0] != self.trace.batch_size:
            raise _Refused("loses the rows of the batch")
        found = [o if isinstance(o, Rows) else self.operand(o, len(shape)) for o in operands]
        return combine(op, found, shape)


class _Refused(Exception):
    pass


def combine(op: str, operands: Sequence[Rows | list[Vector] | float], shape: tuple[int, ...]) -> Rows:
    """Apply an elementwise operation, after cutting its operands at the same columns."""
    width = math.prod(shape[1:])
    for operand in operands:
        if isinstance(operand, Rows) and operand.width not in (1, width):
            raise _Refused("broadcasts inner dimensions")
        if (
            isinstance(operand, Rows)
            and operand.width != 1
            and [s for s in operand.shape[1:] if s != 1] != [s for s in shape[1:] if s != 1]
        ):
            raise _Refused("broadcasts inner dimensions")
        if isinstance(operand, list) and operand[0].width not in (1, width):
            raise _Refused("broadcasts inner dimensions")
    cuts = {width}
    for operand in operands:
        if isinstance(operand, Rows) and operand.width == width:
            at = 0
            for atom in operand.atoms:
                at += atom.width
                cuts.add(at)
    atoms, start = [], 0
    for end in sorted(cuts):
        w = end - start
        args = tuple(_columns(o, start, w) for o in operands)
        atoms.append(elementwise(op, args, w))
        start = end
    return Rows(tuple(atoms), shape)


def _columns(operand: Rows | list[Vector] | float, start: int, width: int) -> Atom | Vector:
    if isinstance(operand, float):
        return Const(operand, width)
    if isinstance(operand, list):
        vector = operand[0]
        return vector if vector.width == 1 else Vector(vector.slot, start, width)
    if operand.width == 1:
        return operand.atoms[0]
    at = 0
    for atom in operand.atoms:
        if at <= start < at + atom.width:
            return split(atom, start - at, width)
        at += atom.width
    raise AssertionError("columns are cut where every operand has a boundary")


def take(rows: Rows, start: int, width: int) -> tuple[Atom, ...]:
    """Return the atoms of some columns."""
    atoms, at = [], 0
    for atom in rows.atoms:
        first, last = max(start, at), min(start + width, at + atom.width)
        if first < last:
            atoms.append(split(atom, first - at, last - first))
        at += atom.width
    return tuple(atoms)


def _input(source: str, index: int, value: Tensor) -> Rows:
    return Rows((Input(source, index, 0, math.prod(value.shape[1:])),), tuple(value.shape))


def _nodes_in(value: Any) -> list[Node]:
    if isinstance(value, Node):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [n for item in value for n in _nodes_in(item)]
    return []


def _map_nodes(value: Any, function: Callable[[Node], Any]) -> Any:
    if isinstance(value, Node):
        return function(value)
    if isinstance(value, dict):
        return {k: _map_nodes(v, function) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_map_nodes(v, function) for v in value)
    return value


def _name(node: Node) -> str:
    return node.op if isinstance(node.op, str) else str(node.op)


# Rules: one for each operation of torch that may have rows. Registered under the operation's name without overload.

_RULES: dict[str, Callable[[_Planner, Node], Any]] = {}


def _rule(*names: str) -> Callable[[Callable[[_Planner, Node], Any]], Callable[[_Planner, Node], Any]]:
    def register(function: Callable[[_Planner, Node], Any]) -> Callable[[_Planner, Node], Any]:
        _RULES.update(dict.fromkeys(names, function))
        return function

    return register


def _value(planner: _Planner, node: Any) -> Any:
    value = planner.values[id(node)]
    if isinstance(value, Rows):
        return value
    if isinstance(value, _Turned):
        raise _Refused("works on transposed rows")
    return value


def _rows_of(planner: _Planner, node: Any) -> Rows:
    value = _value(planner, node)
    if not isinstance(value, Rows):
        raise _Refused("has no row for each sample")
    return value


_UNARY = {
    "neg": "neg", "sigmoid": "sigmoid", "tanh": "tanh", "exp": "exp", "log": "log", "sqrt": "sqrt", "rsqrt": "rsqrt", "abs": "abs",
    "sin": "sin", "cos": "cos", "erf": "erf", "log1p": "log1p", "expm1": "expm1", "sign": "sign", "sgn": "sign",
    "clone": "copy", "logical_not": "not", "bitwise_not": "not",
}  # fmt: skip
_BINARY = {
    "mul": "mul", "div": "div", "maximum": "max", "minimum": "min", "gt": "gt", "ge": "ge", "lt": "lt", "le": "le", "eq": "eq", "ne": "ne",
    "logical_and": "mul", "bitwise_and": "mul",
}  # fmt: skip


@_rule(*_UNARY)
def _unary(p: _Planner, n: Node) -> Any:
    op = _UNARY[n.op.overloadpacket.__name__]
    return _rows_of(p, n.args[0]) if op == "copy" else p.pointwise(op, n, n.args[0])


@_rule(*_BINARY)
def _binary(p: _Planner, n: Node) -> Rows:
    if n.kwargs.get("rounding_mode"):
        raise _Refused("rounds")
    return p.pointwise(_BINARY[n.op.overloadpacket.__name__], n, n.args[0], n.args[1])


@_rule("add", "sub")
def _add(p: _Planner, n: Node) -> Rows:
    a, b = n.args[:2]
    alpha = n.kwargs.get("alpha", 1)
    if alpha != 1:
        b = p.pointwise("mul", n, b, alpha)
    return p.pointwise(n.op.overloadpacket.__name__, n, a, b)


@_rule("rsub")
def _rsub(p: _Planner, n: Node) -> Rows:
    if n.kwargs.get("alpha", 1) != 1 or len(n.args) > 2:
        raise _Refused("scales what it subtracts")
    return p.pointwise("sub", n, n.args[1], n.args[0])


@_rule("relu")
def _relu(p: _Planner, n: Node) -> Rows:
    return p.pointwise("max", n, n.args[0], 0.0)


@_rule("square")
def _square(p: _Planner, n: Node) -> Rows:
    return p.pointwise("mul", n, n.args[0], n.args[0])


@_rule("reciprocal")
def _reciprocal(p: _Planner, n: Node) -> Rows:
    return p.pointwise("div", n, 1.0, n.args[0])


@_rule("pow")
def _pow(p: _Planner, n: Node) -> Rows:
    base, exponent = n.args
    if exponent == 2:
        return p.pointwise("mul", n, base, base)
    if exponent == 1:
        return _rows_of(p, base)
    if exponent == 3:
        return p.pointwise("mul", n, p.pointwise("mul", n, base, base), base)
    return p.pointwise("pow", n, base, exponent)


@_rule("leaky_relu")
def _leaky_relu(p: _Planner, n: Node) -> Rows:
    slope = float(n.args[1]) if len(n.args) > 1 else 0.01
    return p.pointwise(
        "select", n, p.pointwise("gt", n, n.args[0], 0.0), n.args[0], p.pointwise("mul", n, n.args[0], slope)
    )


@_rule("leaky_relu_backward")
def _leaky_relu_backward(p: _Planner, n: Node) -> Rows:
    g, x, slope = n.args[:3]
    return p.pointwise("select", n, p.pointwise("gt", n, x, 0.0), g, p.pointwise("mul", n, g, float(slope)))


@_rule("sigmoid_backward")
def _sigmoid_backward(p: _Planner, n: Node) -> Rows:
    g, y = n.args
    slope = p.pointwise("mul", n, p.pointwise("sub", n, 1.0, y), y)
    return p.pointwise("mul", n, g, slope)


@_rule("tanh_backward")
def _tanh_backward(p: _Planner, n: Node) -> Rows:
    g, y = n.args
    return p.pointwise("mul", n, g, p.pointwise("sub", n, 1.0, p.pointwise("mul", n, y, y)))


@_rule("threshold_backward")
def _threshold_backward(p: _Planner, n: Node) -> Rows:
    g, x, threshold = n.args
    return p.pointwise("select", n, p.pointwise("le", n, x, float(threshold)), 0.0, g)


@_rule("silu")
def _silu(p: _Planner, n: Node) -> Rows:
    return p.pointwise("mul", n, n.args[0], p.pointwise("sigmoid", n, n.args[0]))


@_rule("silu_backward")
def _silu_backward(p: _Planner, n: Node) -> Rows:
    g, x = n.args
    s = p.pointwise("sigmoid", n, x)
    inner = p.pointwise("add", n, 1.0, p.pointwise("mul", n, x, p.pointwise("sub", n, 1.0, s)))
    return p.pointwise("mul", n, g, p.pointwise("mul", n, s, inner))


@_rule("softplus")
def _softplus(p: _Planner, n: Node) -> Rows:
    beta, threshold = (float(a) for a in [*n.args[1:], *(1.0, 20.0)[len(n.args) - 1 :]])
    scaled = p.pointwise("mul", n, n.args[0], beta)
    soft = p.pointwise("div", n, p.pointwise("log1p", n, p.pointwise("exp", n, scaled)), beta)
    return p.pointwise("select", n, p.pointwise("gt", n, scaled, threshold), n.args[0], soft)


@_rule("softplus_backward")
def _softplus_backward(p: _Planner, n: Node) -> Rows:
    g, x, beta, threshold = n.args
    scaled = p.pointwise("mul", n, x, float(beta))
    soft = p.pointwise("mul", n, g, p.pointwise("sigmoid", n, scaled))
    return p.pointwise("select", n, p.pointwise("gt", n, scaled, float(threshold)), g, soft)


@_rule("elu")
def _elu(p: _Planner, n: Node) -> Rows:
    alpha, scale, input_scale = (float(a) for a in [*n.args[1:], *(1.0, 1.0, 1.0)[len(n.args) - 1 :]])
    low = p.pointwise("mul", n, p.pointwise("expm1", n, p.pointwise("mul", n, n.args[0], input_scale)), alpha * scale)
    return p.pointwise("select", n, p.pointwise("gt", n, n.args[0], 0.0), p.pointwise("mul", n, n.args[0], scale), low)


@_rule("elu_backward")
def _elu_backward(p: _Planner, n: Node) -> Rows:
    g, alpha, scale, input_scale, is_result, x = n.args
    if is_result:
        slope = p.pointwise("mul", n, p.pointwise("add", n, x, float(alpha) * float(scale)), float(input_scale))
    else:
        grown = p.pointwise("exp", n, p.pointwise("mul", n, x, float(input_scale)))
        slope = p.pointwise("mul", n, grown, float(alpha) * float(scale) * float(input_scale))
    positive = p.pointwise("mul", n, g, float(scale))
    return p.pointwise("select", n, p.pointwise("gt", n, x, 0.0), positive, p.pointwise("mul", n, g, slope))


@_rule("clamp", "hardtanh", "clamp_min", "clamp_max")
def _clamp(p: _Planner, n: Node) -> Rows:
    name = n.op.overloadpacket.__name__
    low, high = (n.args[1], None) if name == "clamp_min" else (None, n.args[1]) if name == "clamp_max" else (
        [*n.args[1:], *((-1.0, 1.0) if name == "hardtanh" else (None, None))[len(n.args) - 1 :]])  # fmt: skip
    value: Any = n.args[0]
    if low is not None:
        value = p.pointwise("max", n, value, low)
    return value if high is None else p.pointwise("min", n, value, high)


@_rule("hardtanh_backward")
def _hardtanh_backward(p: _Planner, n: Node) -> Rows:
    g, x, low, high = n.args
    inside = p.pointwise("mul", n, p.pointwise("gt", n, x, float(low)), p.pointwise("lt", n, x, float(high)))
    return p.pointwise("select", n, inside, g, 0.0)


@_rule("where")
def _where(p: _Planner, n: Node) -> Rows:
    if len(n.args) != 3:
        raise _Refused("counts elements")
    return p.pointwise("select", n, *n.args)


@_rule("addcmul")
def _addcmul(p: _Planner, n: Node) -> Rows:
    product = p.pointwise("mul", n, n.args[1], n.args[2])
    return p.pointwise("add", n, n.args[0], p.pointwise("mul", n, product, n.kwargs.get("value", 1)))


@_rule("lerp")
def _lerp(p: _Planner, n: Node) -> Rows:
    start, end, weight = n.args
    return p.pointwise("add", n, start, p.pointwise("mul", n, weight, p.pointwise("sub", n, end, start)))


@_rule("_to_copy", "masked_fill")
def _cast(p: _Planner, n: Node) -> Rows:
    if n.op.overloadpacket.__name__ == "masked_fill":
        return p.pointwise("select", n, n.args[1], n.args[2], n.args[0])
    if n.value.dtype != p.trace.x.value.dtype and n.value.dtype != torch.bool:
        raise _Refused(f"changes the type to {n.value.dtype}")
    rows = _rows_of(p, n.args[0])
    return p.pointwise("ne", n, rows, 0.0) if n.value.dtype == torch.bool else rows


@_rule(
    "zeros",
    "ones",
    "full",
    "empty",
    "new_zeros",
    "new_ones",
    "new_full",
    "zeros_like",
    "ones_like",
    "full_like",
    "new_empty",
    "empty_like",
)
def _filled(p: _Planner, n: Node) -> Any:
    name = n.op.overloadpacket.__name__
    if "empty" in name:
        raise _Refused("is not initialised")
    value = n.args[-1] if "full" in name else float("ones" in name)
    shape = tuple(n.value.shape)
    if shape[:1] != (p.trace.batch_size,):
        return p._run_in_torch(n, late=False) if not shape else _no_rows()
    return Rows((Const(float(value), math.prod(shape[1:])),), shape)


def _no_rows() -> Any:
    raise _Refused("makes a tensor without a row for each sample out of rows")


# Products and sums.


@_rule("mm", "addmm")
def _product(p: _Planner, n: Node) -> Any:
    *bias, a, b = n.args
    left, right = p.values[id(a)], p.values[id(b)]
    if n.kwargs.get("beta", 1) != 1 or n.kwargs.get("alpha", 1) != 1:
        raise _Refused("is scaled")
    if isinstance(left, _Turned) and isinstance(right, Rows) and not bias:
        return p.assemble(n, _outer(p, left.rows, right), _block_maker(left.rows, right))
    if not isinstance(left, Rows) or not isinstance(right, Free) or right.late:
        raise _Refused("multiplies samples with samples")
    row, terms = 0, []
    for atom in left.atoms:
        if not _zero(atom):
            terms.append((atom, Matrix(right.slot, row, 0)))
        row += atom.width
    width = n.value.shape[1]
    found: Rows = Rows((product(tuple(terms), width) if terms else Const(0.0, width),), tuple(n.value.shape))
    return p.pointwise("add", n, found, bias[0]) if bias else found


def _outer(p: _Planner, left: Rows, right: Rows) -> list[list[int | None]]:
    return [[None if _zero(x) or _zero(y) else p.reduce(OuterSum(x, y)) for y in right.atoms] for x in left.atoms]


def _zero(atom: Atom) -> bool:
    return isinstance(atom, Const) and atom.value == 0


def _block_maker(left: Rows, right: Rows) -> Callable[..., Tensor]:
    heights, widths = [a.width for a in left.atoms], [a.width for a in right.atoms]

    def put_together(blocks: list[list[Tensor | None]]) -> Tensor:
        if len(blocks) == len(blocks[0]) == 1 and blocks[0][0] is not None:
            return blocks[0][0]
        like = next((b for row in blocks for b in row if b is not None), torch.zeros(()))
        rows = [
            torch.cat([like.new_zeros(h, w) if b is None else b for b, w in zip(row, widths)], dim=1)
            for row, h in zip(blocks, heights)
        ]
        return torch.cat(rows)

    return put_together


@_rule("sum", "mean")
def _sum(p: _Planner, n: Node) -> Any:
    rows = _rows_of(p, n.args[0])
    ndim = len(rows.shape)
    dims = (
        {d % ndim for d in (n.args[1] or range(ndim))}
        if len(n.args) > 1 and n.args[1] is not None
        else set(range(ndim))
    )
    inner = {d for d in range(1, ndim) if rows.shape[d] != 1}
    is_mean = n.op.overloadpacket.__name__ == "mean"
    if 0 not in dims:
        if not inner:
            return Rows(rows.atoms, tuple(n.value.shape))
        if not inner <= dims:
            raise _Refused("sums over some of the inner dimensions")
        total = _row_total(rows)
        shape = (rows.shape[0], 1)
        scaled = combine("mul", [total, 1.0 / rows.width], shape) if is_mean else total
        return Rows(scaled.atoms, tuple(n.value.shape))
    if is_mean:
        raise _Refused("averages over the samples of a batch")
    slots = [None if _zero(a) else p.reduce(ColumnSum(a)) for a in rows.atoms]
    widths, shape = [a.width for a in rows.atoms], tuple(n.value.shape)
    full = tuple(1 if d == 0 else s for d, s in enumerate(rows.shape))
    rest = sorted(dims - {0})

    def put_together(blocks: list[list[Tensor | None]]) -> Tensor:
        like = next((b for b in blocks[0] if b is not None), torch.zeros(()))
        whole = torch.cat([like.new_zeros(w) if b is None else b for b, w in zip(blocks[0], widths)]).view(full)
        return (whole.sum(rest) if rest else whole).reshape(shape)

    return p.assemble(n, [slots], put_together)


@_rule("native_layer_norm")
def _layer_norm(p: _Planner, n: Node) -> Rows:
    x, shape, weight, bias, epsilon = n.args
    rows = _normalised_rows(p, x, shape)
    column = (rows.shape[0], 1)
    mean = combine("mul", [_row_total(rows), 1.0 / rows.width], column)
    centred = combine("sub", [rows, mean], rows.shape)
    squares = _row_total(combine("mul", [centred, centred], rows.shape))
    variance = combine("add", [combine("mul", [squares, 1.0 / rows.width], column), float(epsilon)], column)
    scale = combine("rsqrt", [variance], column)
    if n.kwargs["__item__"] != 0:
        return Rows((mean if n.kwargs["__item__"] == 1 else scale).atoms, tuple(n.value.shape))
    result = combine("mul", [centred, scale], rows.shape)
    result = result if weight is None else p.pointwise("mul", n, result, weight)
    return result if bias is None else p.pointwise("add", n, result, bias)


@_rule("native_layer_norm_backward")
def _layer_norm_backward(p: _Planner, n: Node) -> Any:
    grad, x, shape, mean, scale, weight = n.args[:6]
    rows, g = _normalised_rows(p, x, shape), _rows_of(p, grad)
    column = (rows.shape[0], 1)
    scale_rows = _rows_of(p, scale)
    normal = combine("mul", [combine("sub", [rows, _rows_of(p, mean)], rows.shape), scale_rows], rows.shape)
    item = n.kwargs["__item__"]
    if item != 0:
        summed = g if item == 2 else combine("mul", [g, normal], rows.shape)
        slots = [p.reduce(ColumnSum(a)) for a in summed.atoms]
        return p.assemble(n, [list(slots)], lambda blocks: torch.cat(blocks[0]))
    weighted = g if weight is None else combine("mul", [g, p.operand(weight, len(rows.shape))], rows.shape)
    average = combine("mul", [_row_total(weighted), 1.0 / rows.width], column)
    along = combine("mul", [weighted, normal], rows.shape)
    share = combine("mul", [_row_total(along), 1.0 / rows.width], column)
    rest = combine("sub", [weighted, average], rows.shape)
    rest = combine("sub", [rest, combine("mul", [normal, share], rows.shape)], rows.shape)
    return combine("mul", [rest, scale_rows], rows.shape)


def _normalised_rows(p: _Planner, x: Any, shape: Any) -> Rows:
    rows = _rows_of(p, x)
    if len(rows.shape) != 2 or tuple(shape) != rows.shape[1:]:
        raise _Refused("normalises over some of the inner dimensions")
    return rows


def _row_total(rows: Rows) -> Rows:
    return Rows((row_sum(rows.atoms),), (rows.shape[0], 1))


# Views.


@_rule("view", "_unsafe_view", "reshape", "unsqueeze", "squeeze", "detach", "alias", "contiguous", "lift_fresh")
def _view(p: _Planner, n: Node) -> Any:
    if isinstance(p.values[id(n.args[0])], _Turned) and n.op.overloadpacket.__name__ in ("detach", "alias"):
        return p.values[id(n.args[0])]
    rows = _rows_of(p, n.args[0])
    shape = tuple(n.value.shape)
    if shape[:1] != rows.shape[:1]:
        raise _Refused("moves the rows of the batch")
    return Rows(rows.atoms, shape)


@_rule("t", "transpose", "permute")
def _transpose(p: _Planner, n: Node) -> Any:
    value = p.values[id(n.args[0])]
    if isinstance(value, _Turned) and len(value.rows.shape) == 2:
        return value.rows
    if isinstance(value, Rows) and len(value.shape) == 2 and tuple(n.value.shape) == value.shape[::-1]:
        return _Turned(value)
    raise _Refused("moves the rows of the batch")


@_rule("expand")
def _expand(p: _Planner, n: Node) -> Rows:
    rows, shape = _rows_of(p, n.args[0]), tuple(n.value.shape)
    if shape[:1] != rows.shape[:1]:
        raise _Refused("moves the rows of the batch")
    if rows.width == math.prod(shape[1:]):
        return Rows(rows.atoms, shape)
    if rows.width != 1:
        raise _Refused("broadcasts inner dimensions")
    return combine("copy", [rows], shape)


def _block(rows: Rows, dim: int) -> int:
    """Return how many columns one index of a dimension has, where all dimensions before it are single."""
    if dim == 0 or any(s != 1 for s in rows.shape[1:dim]):
        raise _Refused("takes samples apart" if dim == 0 else "cuts an inner dimension")
    return math.prod(rows.shape[dim + 1 :])


@_rule("select")
def _select(p: _Planner, n: Node) -> Rows:
    rows, dim = _rows_of(p, n.args[0]), n.args[1] % len(n.args[0].value.shape)
    block = _block(rows, dim)
    index = n.args[2] % rows.shape[dim]
    return Rows(take(rows, index * block, block), tuple(n.value.shape))


@_rule("slice")
def _slice(p: _Planner, n: Node) -> Rows:
    rows = _rows_of(p, n.args[0])
    given: list[Any] = [*n.args[1:], *(0, None, None, 1)[len(n.args) - 1 :]]
    dim = given[0] % len(rows.shape)
    start, end, step = slice(*given[1:]).indices(rows.shape[dim])
    if (start, end, step) == (0, rows.shape[dim], 1):
        return rows
    if step != 1:
        raise _Refused("takes every other column")
    block = _block(rows, dim)
    return Rows(take(rows, start * block, (end - start) * block), tuple(n.value.shape))


@_rule("split", "split_with_sizes", "chunk", "unbind")
def _split(p: _Planner, n: Node) -> Rows:
    rows, name = _rows_of(p, n.args[0]), n.op.overloadpacket.__name__
    item = n.kwargs["__item__"]
    if name == "unbind":
        dim = (n.args[1] if len(n.args) > 1 else 0) % len(rows.shape)
        block = _block(rows, dim)
        return Rows(take(rows, item * block, block), tuple(n.value.shape))
    dim = (n.args[2] if len(n.args) > 2 else 0) % len(rows.shape)
    block = _block(rows, dim)
    sizes = n.args[1] if name == "split_with_sizes" else None
    start = sum(sizes[:item]) if sizes is not None else item * n.args[1]
    return Rows(take(rows, start * block, n.value.shape[dim] * block), tuple(n.value.shape))


@_rule("cat")
def _cat(p: _Planner, n: Node) -> Rows:
    pieces = n.args[0]
    dim = (n.args[1] if len(n.args) > 1 else 0) % n.value.ndim
    atoms: list[Atom] = []
    for piece in pieces:
        rows = p._rows(piece)
        _block(rows, dim) if len(rows.shape) > 1 else None
        atoms += rows.atoms
    return Rows(tuple(atoms), tuple(n.value.shape))


@_rule("stack")
def _stack(p: _Planner, n: Node) -> Rows:
    dim = (n.args[1] if len(n.args) > 1 else 0) % n.value.ndim
    if dim == 0:
        raise _Refused("moves the rows of the batch")
    atoms = [a for piece in n.args[0] for a in _rows_of(p, piece).atoms]
    if dim != 1 and any(s != 1 for s in n.args[0][0].value.shape[1:dim]):
        raise _Refused("interleaves columns")
    return Rows(tuple(atoms), tuple(n.value.shape))


@_rule("slice_backward", "select_backward")
def _slice_backward(p: _Planner, n: Node) -> Rows:
    grad, shape = _rows_of(p, n.args[0]), tuple(n.value.shape)
    whole = Rows((Const(0.0, math.prod(shape[1:])),), shape)
    dim = n.args[2] % len(shape)
    if n.op.overloadpacket.__name__ == "select_backward":
        start, end = n.args[3] % shape[dim], n.args[3] % shape[dim] + 1
    else:
        start, end, step = slice(n.args[3], n.args[4], n.args[5]).indices(shape[dim])
        if step != 1:
            raise _Refused("takes every other column")
    if (start, end) == (0, shape[dim]):
        return Rows(grad.atoms, shape)
    block = _block(whole, dim)
    before, after = start * block, (shape[dim] - end) * block
    padding = [(Const(0.0, w),) if w else () for w in (before, after)]
    return Rows((*padding[0], *grad.atoms, *padding[1]), shape)
