"""One step of a cell, forward and backward, recorded as the list of torch's operations that it calls."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from seqpipe.cells import Cell
from seqpipe.recurrence._generators import forked_generators
from seqpipe.recurrence._states import state_tensors

__all__ = ["Node", "Trace", "Unplannable", "map_nodes", "nodes_in", "record", "trace_step"]

#: Batch sizes to trace with: the first one that is no size of the cell tells the batch from every other dimension.
_PRIMES = (7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97)
_FULL = torch.ops.aten.full.default
_LIBRARY = ("/torch/", "/seqpipe/recurrence/")


class Unplannable(Exception):
    """The step has something that the compiler cannot plan; the message names the operation and the line."""


@dataclass(eq=False)
class Node:
    """One tensor of the trace: what made it, and the tensor that the trial run gave."""

    op: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    value: Any
    line: str


@dataclass
class Trace:
    """A traced step.

    Attributes
    ----------
    batch_size : int
        What it was traced with; a dimension of this size is the batch.
    parameters, states, state_grads : list of Node
        Inputs: the cell's parameters and buffers, the state before, and the gradient of the state after.
    x, output_grad : Node
        Inputs: one step of x, and the gradient of its output.
    output, new_states : Node, list of Node
    grads : list of Node or None
        Of the parameters, of x and of the states before, in this order.
    """

    batch_size: int
    parameters: list[Node] = field(default_factory=list)
    states: list[Node] = field(default_factory=list)
    state_grads: list[Node] = field(default_factory=list)
    new_states: list[Node] = field(default_factory=list)
    grads: list[Node | None] = field(default_factory=list)
    x: Any = None
    output_grad: Any = None
    output: Any = None


def nodes_in(value: Any) -> list[Node]:
    """Return the nodes among arguments."""
    if isinstance(value, Node):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [n for item in value for n in nodes_in(item)]
    return []


def map_nodes(value: Any, function: Callable[[Node], Any]) -> Any:
    """Return arguments with something in place of each node."""
    if isinstance(value, Node):
        return function(value)
    if isinstance(value, dict):
        return {k: map_nodes(v, function) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map_nodes(v, function) for v in value)
    return value


class _Recorder(TorchDispatchMode):
    """Writes down every operation; holds on to all tensors, so that none is taken for another.

    Parameters
    ----------
    line : str, optional
        What to write as the line of all operations; the author's by default.
    """

    def __init__(self, line: str | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._nodes: dict[int, tuple[Tensor, Node]] = {}
        self._line = line
        self._sharing: dict[int, list[Tensor]] = {}
        self.backward = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        line = self._line or (" in its derivative" if self.backward else _authors_line())
        if func is torch.ops.aten._local_scalar_dense.default:
            raise Unplannable(f"its step needs the value of a tensor{line}")
        if torch.Tag.nondeterministic_seeded in func.tags:
            raise Unplannable(f"its step draws random numbers ({func}){line}")
        kwargs = kwargs or {}
        if func._schema.is_mutable:
            return self._in_place(func, args, kwargs, line)
        result = func(*args, **kwargs)
        make = {"op": func, "args": self._lookup(args), "kwargs": self._lookup(kwargs), "line": line}
        if isinstance(result, Tensor):
            self._keep(result, Node(value=result, **make))
        else:
            for i, item in enumerate(result):
                if isinstance(item, Tensor):
                    self._keep(item, Node(value=item, **{**make, "kwargs": {**make["kwargs"], "__item__": i}}))
        return result

    def _in_place(self, func: Any, args: Any, kwargs: Any, line: str) -> Any:
        """Write down an operation that changes a tensor as one that makes another, for which the tensor stands from then on."""
        name = func._schema.name.split("::")[1].rstrip("_")
        same = getattr(getattr(torch.ops.aten, name, None), func._overloadname, None)
        changed = args[0] if args else None
        if same is None or not isinstance(changed, Tensor) or "out" in kwargs or self._is_given(changed):
            raise Unplannable(f"its step changes a tensor in place ({func}){line}")
        before = self.find(changed)
        given, given_by_name = self._lookup(args), self._lookup(kwargs)
        before.value = changed.detach().clone()
        others = [(t, self.find(t)) for t in self._sharing[_memory(changed)] if t is not changed]
        for other, node in others:
            node.value = other.detach().clone()
        result = func(*args, **kwargs)
        after = Node(same, given, given_by_name, changed.detach().clone(), line)
        if func._overloadname == "Scalar" and name == "fill" or name == "zero":  # whatever was there: it may be uninitialised
            value = given[1] if name == "fill" else 0
            after = Node(_FULL, (list(changed.shape), value), {"dtype": changed.dtype}, after.value, line)
        self._nodes[id(changed)] = (changed, after)
        for other, node in others:
            self._overlay(other, node, changed, after, line)
        return result

    def _overlay(self, other: Tensor, node: Node, changed: Tensor, after: Node, line: str) -> None:
        """Let another view of a tensor's memory stand for what it shows after a change."""
        places = _places(other, changed)
        if bool((places >= 0).any()):
            value = other.detach().clone()
            self._nodes[id(other)] = (other, Node("overlaid", (node, after, places), {}, value, line))

    def _is_given(self, tensor: Tensor) -> bool:
        """Tell whether a tensor shows memory that the step was given, or that it found outside."""
        sharing = self._sharing.get(_memory(tensor), [])
        return not sharing or any(self.find(t).op in ("input", "constant") for t in sharing)

    def add_input(self, tensor: Tensor) -> Node:
        return self._keep(tensor, Node("input", (), {}, tensor, ""))

    def know(self, node: Node) -> None:
        """Take the tensor of a node of another trace."""
        self._keep(node.value, node)

    def find(self, tensor: Tensor) -> Node:
        if id(tensor) not in self._nodes:  # a tensor that the cell holds outside parameters and buffers
            return self._keep(tensor, Node("constant", (), {}, tensor, ""))
        return self._nodes[id(tensor)][1]

    def _keep(self, tensor: Tensor, node: Node) -> Node:
        if id(tensor) not in self._nodes:
            self._sharing.setdefault(_memory(tensor), []).append(tensor)
        self._nodes[id(tensor)] = (tensor, node)
        return node

    def _lookup(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self.find(value)
        if isinstance(value, (list, tuple)):
            return type(value)(self._lookup(item) for item in value)
        if isinstance(value, dict):
            return {key: self._lookup(item) for key, item in value.items()}
        return value


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr() or id(tensor)


def _places(tensor: Tensor, changed: Tensor) -> Tensor:
    """Return where each number of a view is in another view of the same memory, -1 where it is not there."""
    size = tensor.untyped_storage().nbytes() // tensor.itemsize
    whole = torch.full((size,), -1)
    shown = whole.as_strided(changed.shape, changed.stride(), changed.storage_offset())
    shown.copy_(torch.arange(changed.numel()).view(changed.shape))
    return whole.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())


def record(function: Callable[..., Any], args: Any, kwargs: Any, line: str) -> list[Any]:
    """Write down what a function of torch calls on the tensors of nodes; return the nodes of its results."""
    recorder = _Recorder(line)
    for node in nodes_in((args, kwargs)):
        recorder.know(node)
    args, kwargs = (map_nodes(given, lambda node: node.value) for given in (args, kwargs))
    with torch.no_grad(), recorder:
        result = function(*args, **kwargs)
    results = result if isinstance(result, (tuple, list)) else [result]
    return [r if r is None else recorder.find(r) for r in results]


# torch wraps the method above so that its first call imports torch._dynamo, 1.5 s: not needed, nothing here is compiled by it.
_wrapped = getattr(_Recorder.__torch_dispatch__, "__wrapped__", None)
if _wrapped is not None:
    setattr(_wrapped, "__dynamo_disable", _wrapped)


def trace_step(
    cell: Cell, *, input_grad: bool, parameter_grads: tuple[bool, ...], batch_size: int | None = None
) -> Trace:
    """Take one step on zeros and walk back through it, writing down every operation.

    Parameters
    ----------
    cell : Cell
    input_grad : bool
        Whether the gradient of x is wanted.
    parameter_grads : tuple of bool
        For each parameter and buffer, whether its gradient is.
    batch_size : int, optional
        By default one that is no size of the cell.

    Raises
    ------
    Unplannable
        If the step needs a tensor's value, changes one in place or draws random numbers.
    """
    names = [name for name, _ in _tensors(cell)]
    tensors = [tensor.detach().clone() for _, tensor in _tensors(cell)]
    like = next((t for t in tensors if t.is_floating_point()), torch.empty(0))
    with torch.enable_grad(), forked_generators():
        trace = Trace(batch_size or _batch_size(cell, tensors))
        states = [s.detach().clone() for s in state_tensors(cell.initial_state(trace.batch_size))]
        x = torch.zeros(trace.batch_size, cell.input_size, dtype=like.dtype, device=like.device)
        for tensor, wanted in zip([x, *states, *tensors], [True, *[True] * len(states), *parameter_grads]):
            tensor.requires_grad_(wanted and tensor.is_floating_point())
        recorder = _Recorder()
        trace.parameters = [recorder.add_input(t) for t in tensors]
        trace.x, trace.states = recorder.add_input(x), [recorder.add_input(s) for s in states]
        parts, step = (
            dict(zip(names, tensors)),
            _Step(cell),
        )  # the first state, which may be drawn, is no part of a step
        with recorder:
            output, after = torch.func.functional_call(step, parts, (x, tuple(states)))
        results = [output, *state_tensors(after)]
        trace.output, *trace.new_states = [recorder.find(r) for r in results]
        trace.grads = _walk_back(trace, recorder, results, [*tensors, x, *states], input_grad)
    return trace


def _walk_back(
    trace: Trace, recorder: _Recorder, results: list[Tensor], inputs: list[Tensor], input_grad: bool
) -> list[Node | None]:
    grads = [torch.zeros_like(r) for r in results]
    trace.output_grad, *trace.state_grads = [recorder.add_input(g) for g in grads]
    n_parameters = len(trace.parameters)
    wanted = [t for i, t in enumerate(inputs) if t.requires_grad and (input_grad or i != n_parameters)]
    live = [(r, g) for r, g in zip(results, grads) if r.requires_grad]
    if not live or not wanted:
        return [None] * len(inputs)
    recorder.backward = True
    with recorder:
        found = torch.autograd.grad([r for r, _ in live], wanted, [g for _, g in live], allow_unused=True)
    by_input = {id(t): recorder.find(g) for t, g in zip(wanted, found) if g is not None}
    return [by_input.get(id(t)) for t in inputs]


class _Step(torch.nn.Module):
    """One step from plain x, so that `functional_call` can put traced parameters in place."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell
        self._several = isinstance(cell.initial_state(1), tuple)

    def forward(self, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, Any]:
        return self.cell.step(self.cell.project(x[:, None])[:, 0], states if self._several else states[0])


def _tensors(cell: Cell) -> list[tuple[str, Tensor]]:
    """Return the parameters, then the buffers, under the names that `_Step` gives them."""
    return [(f"cell.{n}", t) for n, t in [*cell.named_parameters(), *cell.named_buffers()]]


def _batch_size(cell: Cell, tensors: list[Tensor]) -> int:
    sizes = {s for t in tensors for s in t.shape} | {cell.input_size, cell.hidden_size, cell.output_size}
    sizes |= {s for t in state_tensors(cell.initial_state(1)) for s in t.shape[1:]}
    return next(prime for prime in _PRIMES if not any(size % prime == 0 for size in sizes))


def _authors_line() -> str:
    """Return " at file:line" of the innermost frame that is neither torch's nor the compiler's."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if not any(part in name for part in _LIBRARY) and not name.startswith("<"):
            return f" at {name}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
