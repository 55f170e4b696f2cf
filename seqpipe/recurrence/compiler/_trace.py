"""One step of a cell, forward and backward, recorded as the list of torch's operations that it calls."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from seqpipe.cells import Cell
from seqpipe.recurrence._check import check_results
from seqpipe.recurrence._contents import Contents, contents_of, first_difference
from seqpipe.recurrence._copies import copied, first_states
from seqpipe.recurrence._generators import forked_generators
from seqpipe.recurrence._states import state_tensors
from seqpipe.recurrence.compiler._by_torch import Recipes, RecordingAhead

__all__ = [
    "IN_DERIVATIVE", "Call", "Node", "Trace", "Unplannable", "batch_size_for", "calls_of", "map_nodes", "nodes_in",
    "projects_steps_apart", "record", "same_calls", "trace_step",
]  # fmt: skip

#: Batch sizes to trace with: the first one that is no size of the cell tells the batch from every other dimension.
_PRIMES = (7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97)
_FULL = torch.ops.aten.full.default
#: The line of what torch calls to differentiate a step.
IN_DERIVATIVE = " in its derivative"
_LIBRARY = ("/torch/", "/seqpipe/recurrence/")
#: Operations that take a tensor which nothing recorded made, because torch made it of numbers just before.
_NEW = frozenset({torch.ops.aten.lift_fresh.default, torch.ops.aten.lift_fresh_copy.default})

#: An operation and what it was given but for tensors: numbers, sizes, flags.
Call = tuple[Any, Any]


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
    recipes : Recipes
        How torch computes what the step takes beside the cell's tensors.
    projected : bool
        Whether x is what `project` gives, which is then no part of the step.
    parameters, states, state_grads : list of Node
        Inputs: the cell's tensors and what follows by the recipes, the state before, and the gradient of the state after.
    x, output_grad : Node
        Inputs: one step of x, and the gradient of its output.
    output, new_states : Node, list of Node
    grads : list of Node or None
        Of the parameters, of x and of the states before, in this order.
    """

    batch_size: int
    recipes: Recipes
    projected: bool = False
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
        items = [map_nodes(v, function) for v in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
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
        self.calls: list[Call] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        line = self._line or (IN_DERIVATIVE if self.backward else _authors_line())
        if func is torch.ops.aten._local_scalar_dense.default:
            raise Unplannable(f"its step needs the value of a tensor{line}")
        if torch.Tag.nondeterministic_seeded in func.tags:
            raise Unplannable(f"its step draws random numbers ({func}){line}")
        kwargs = kwargs or {}
        if not self.backward:
            self.calls.append((func, _without_tensors((args, kwargs))))
        if func not in _NEW:
            self._refuse_unknown((args, kwargs), line)
        if func._schema.is_mutable:
            return self._in_place(func, args, kwargs, line)
        result = func(*args, **kwargs)
        make = {"op": func, "args": self._lookup(args), "kwargs": self._lookup(kwargs), "line": line}
        if isinstance(result, Tensor):
            self._keep(result, Node(value=result, **make))
        else:
            for i, item in enumerate(result or ()):
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
        if any(t.dtype != changed.dtype for t, _ in others):
            raise Unplannable(f"its step changes memory of several types in place ({func}){line}")
        for other, node in others:
            node.value = other.detach().clone()
        result = func(*args, **kwargs)
        after = Node(same, given, given_by_name, changed.detach().clone(), line)
        if name == "zero" or (
            name == "fill" and func._overloadname == "Scalar"
        ):  # whatever was there: it may be uninitialised
            value = given[1] if name == "fill" else 0
            after = Node(_FULL, (list(changed.shape), value), {"dtype": changed.dtype}, after.value, line)
        elif name == "copy" and args[1].shape == changed.shape and args[1].dtype == changed.dtype:
            after = Node(torch.ops.aten.clone.default, (given[1],), {}, after.value, line)
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

    def _refuse_unknown(self, given: Any, line: str) -> None:
        """Refuse tensors of which nobody knows when they change."""
        if isinstance(given, Tensor):
            if id(given) not in self._nodes and not self.backward:
                raise Unplannable(
                    f"its step reads a tensor of shape {tuple(given.shape)} that the cell does not hold{line}; "
                    "make it a buffer"
                )
        elif isinstance(given, (list, tuple)):
            for item in given:
                self._refuse_unknown(item, line)
        elif isinstance(given, dict):
            self._refuse_unknown((*given.values(),), line)

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
    cell: Cell,
    *,
    input_grad: bool,
    parameter_grads: tuple[bool, ...],
    batch_size: int | None = None,
    projected: bool = False,
) -> Trace:
    """Take one step of a copy of the cell on zeros and walk back through it, writing down every operation.

    Parameters
    ----------
    cell : Cell
    input_grad : bool
        Whether the gradient of x is wanted.
    parameter_grads : tuple of bool
        For each of the cell's tensors, as `contents_of` gives them, whether its gradient is.
    batch_size : int, optional
        By default one that is no size of the cell.
    projected : bool, default=False
        Whether the step begins after `project`.

    Raises
    ------
    Unplannable
        If the step needs a tensor's value, changes a tensor or what the cell holds, or draws random numbers.
    """
    recorder = _Recorder()
    with torch.enable_grad(), forked_generators():
        n_rows = batch_size or batch_size_for(cell, projected=projected)
        step = _recorded(cell, recorder, parameter_grads, n_rows, projected=projected)
        trace = Trace(n_rows, step.recipes, projected)
        trace.parameters = [recorder.find(t) for t in step.tensors]
        trace.x, *trace.states = [recorder.find(t) for t in (step.x, *step.states)]
        trace.output, *trace.new_states = [recorder.find(r) for r in step.results]
        trace.grads = _walk_back(trace, recorder, step.results, [*step.tensors, step.x, *step.states], input_grad)
    return trace


@torch.no_grad()
def projects_steps_apart(cell: Cell) -> bool:
    """Tell by trial whether `project` gives for each step what it gives for that step alone."""
    contents = contents_of(cell)
    device, dtype = contents.device, contents.dtype
    with forked_generators(device):
        x = torch.randn(2, 3, cell.input_size, dtype=dtype, device=device)
        together = copied(cell).project(x)
        apart = torch.cat([copied(cell).project(x_t) for x_t in x.split(1, dim=1)], dim=1)
    return together.shape == apart.shape and torch.allclose(together, apart, rtol=1e-3, atol=1e-3, equal_nan=True)


def calls_of(cell: Cell, batch_size: int, *, projected: bool = False) -> list[Call]:
    """Return the operations of a step for a batch of some size, and what they are given beside tensors; of ``projected`` see `trace_step`.

    Raises
    ------
    Unplannable
        As `trace_step` does.
    """
    recorder = _Recorder()
    with torch.enable_grad(), forked_generators():
        wanted = tuple(t.requires_grad for t in contents_of(cell).tensors.values())
        _recorded(cell, recorder, wanted, batch_size, projected=projected)
    return recorder.calls


def same_calls(calls: list[Call], batch_size: int, others: list[Call], other_size: int) -> bool:
    """Tell whether two steps do the same but for the number of samples."""

    def same(a: Any, b: Any) -> bool:
        if isinstance(a, (list, tuple)):
            return isinstance(b, (list, tuple)) and len(a) == len(b) and all(map(same, a, b))
        if isinstance(a, dict):
            return isinstance(b, dict) and a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
        if type(a) is not type(b):
            return False
        return bool(a is b or a == b) or (type(a) is int and a % batch_size == 0 and a // batch_size * other_size == b)

    return same(calls, others)


@dataclass
class _Recorded:
    """A step that was taken: what it was given, and the output and new states that it returned."""

    tensors: list[Tensor]
    x: Tensor
    states: list[Tensor]
    results: list[Tensor]
    recipes: Recipes


def _recorded(
    cell: Cell, recorder: _Recorder, wanted: tuple[bool, ...], batch_size: int, *, projected: bool
) -> _Recorded:
    """Take a step of a copy of the cell."""
    states, held = _states_and_tensors(cell, batch_size)
    working = copied(cell)
    before = contents_of(working)
    for name, tensor in before.tensors.items():
        if name in held and held[name].shape != tensor.shape:
            raise Unplannable(
                f"its initial_state keeps a tensor with a row for each sample ({name!r}); make it part of the state"
            )
    tensors = list(before.tensors.values())
    device, dtype = before.device, before.dtype
    x = _first_x(cell, batch_size, projected=projected)
    if x.dtype != dtype or x.device != device:
        raise Unplannable(f"its project gives {x.dtype} on {x.device}")
    given = [t.detach().clone() for t in state_tensors(states)]
    for tensor, learns in zip([x, *given, *tensors], [True, *[True] * len(given), *wanted]):
        if tensor.is_leaf and (tensor.is_floating_point() or tensor.is_complex()):
            tensor.requires_grad_(learns)
    before = contents_of(working)
    for tensor in (*tensors, x, *given):
        recorder.add_input(tensor)
    state = tuple(given) if isinstance(states, tuple) else given[0]
    with recorder, RecordingAhead(tensors, recorder.add_input) as ahead, _refusing_other_generators():
        result = working.step(x if projected else working.project(x[:, None])[:, 0], state)
    check_results(cell, result, state, batch_size)
    _refuse_changes(before, contents_of(working))
    output, after = result
    return _Recorded([*tensors, *ahead.inputs], x, given, [output, *state_tensors(after)], ahead.recipes)


def _first_x(cell: Cell, batch_size: int, *, projected: bool) -> Tensor:
    """Return one step of x, zeros before `project`."""
    contents = contents_of(cell)
    device, dtype = contents.device, contents.dtype
    x = torch.zeros(batch_size, cell.input_size, dtype=dtype, device=device)
    if not projected:
        return x
    with torch.no_grad(), forked_generators(device):
        return copied(cell).project(x[:, None])[:, 0].clone(memory_format=torch.contiguous_format)


def _states_and_tensors(cell: Cell, batch_size: int) -> tuple[Any, dict[str, Tensor]]:
    """Return a first state, and what a copy of the cell holds once it was asked for it."""
    working = copied(cell)
    with torch.no_grad():
        return working.initial_state(batch_size), contents_of(working).tensors


def _refuse_changes(before: Contents, after: Contents) -> None:
    if before.signature != after.signature:
        raise Unplannable(f"its step changes {first_difference(before.signature, after.signature)!r} of the cell")
    for name, tensor in before.tensors.items():
        if after.tensors[name] is not tensor:
            raise Unplannable(f"its step changes {name!r} of the cell")


@contextmanager
def _refusing_other_generators() -> Iterator[None]:
    """Refuse a step that draws from the generators of Python or NumPy, which end as they began."""
    python, numpy = random.getstate(), np.random.get_state(legacy=False)
    yield
    drawn = random.getstate() != python or str(np.random.get_state(legacy=False)) != str(numpy)
    random.setstate(python)
    np.random.set_state(numpy)
    if drawn:
        raise Unplannable("its step draws random numbers from Python or NumPy")


def _without_tensors(given: Any) -> Any:
    if isinstance(given, Tensor):
        return None
    if isinstance(given, (list, tuple)):
        return tuple([_without_tensors(item) for item in given])
    if isinstance(given, dict):
        return {key: _without_tensors(item) for key, item in given.items()}
    return given


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


def batch_size_for(cell: Cell, *, projected: bool) -> int:
    """Return a batch size that no size of the cell is a multiple of."""
    tensors = contents_of(cell).tensors.values()
    sizes = {s for t in tensors for s in t.shape} | {cell.input_size, cell.hidden_size, cell.output_size}
    sizes |= {s for t in state_tensors(first_states(cell, 1)) for s in t.shape[1:]}
    if projected:
        sizes |= {*_first_x(cell, 2, projected=True).shape[1:]}
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
