"""The trace of one step of a cell: the torch operations that it calls, forward and backward."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.recurrence._check import check_results
from seqpipe.recurrence._generators import forked_generators
from seqpipe.recurrence._states import state_tensors
from seqpipe.recurrence.compiler.trace._nodes import Call, Node, Trace, Unplannable
from seqpipe.recurrence.compiler.trace._recipes import Recipes, RecordingAhead
from seqpipe.recurrence.compiler.trace._recorder import Recorder
from seqpipe.recurrence.contents import Contents, contents_of, copied, first_difference, first_states

__all__ = ["batch_size_for", "calls_of", "projects_steps_apart", "same_calls", "trace_step"]

#: Candidates for the traced batch size: a prime that divides no size of the cell identifies the batch dimension.
_PRIMES = (7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97)


def trace_step(
    cell: Cell,
    *,
    input_grad: bool,
    parameter_grads: tuple[bool, ...],
    batch_size: int | None = None,
    projected: bool = False,
) -> Trace:
    """Take one step of a copy of the cell on zeros, differentiate it, and record every operation.

    Parameters
    ----------
    cell : Cell
    input_grad : bool
        Whether the gradient of x is required.
    parameter_grads : tuple of bool
        For each of the cell's tensors, in the order of `contents_of`, whether its gradient is required.
    batch_size : int, optional
        By default one that divides no size of the cell.
    projected : bool, default=False
        Whether the step begins after `project`.

    Raises
    ------
    Unplannable
        If the step needs a tensor's value, changes an input or an attribute in place, or draws random numbers.
    """
    recorder = Recorder()
    with torch.enable_grad(), forked_generators():
        n_rows = batch_size or batch_size_for(cell, projected=projected)
        step = _recorded(cell, recorder, parameter_grads, n_rows, projected=projected)
        trace = Trace(n_rows, step.recipes, projected)
        trace.parameters = [recorder.find(t) for t in step.tensors]
        trace.x, *trace.states = [recorder.find(t) for t in (step.x, *step.states)]
        trace.output, *trace.new_states = [recorder.find(r) for r in step.results]
        trace.grads = _differentiate(trace, recorder, step.results, [*step.tensors, step.x, *step.states], input_grad)
    return trace


@torch.no_grad()
def projects_steps_apart(cell: Cell) -> bool:
    """Return whether `project` treats each step independently, by trying it on a random input."""
    contents = contents_of(cell)
    device, dtype = contents.device, contents.dtype
    with forked_generators(device):
        x = torch.randn(2, 3, cell.input_size, dtype=dtype, device=device)
        together = copied(cell).project(x)
        apart = torch.cat([copied(cell).project(x_t) for x_t in x.split(1, dim=1)], dim=1)
    return together.shape == apart.shape and torch.allclose(together, apart, rtol=1e-3, atol=1e-3, equal_nan=True)


def calls_of(cell: Cell, batch_size: int, *, projected: bool = False) -> list[Call]:
    """Return the operations of a step for a batch size, with their arguments other than tensors.

    Raises
    ------
    Unplannable
        As in `trace_step`.
    """
    recorder = Recorder()
    with torch.enable_grad(), forked_generators():
        wanted = tuple(t.requires_grad for t in contents_of(cell).tensors.values())
        _recorded(cell, recorder, wanted, batch_size, projected=projected)
    return recorder.calls


def same_calls(calls: list[Call], batch_size: int, others: list[Call], other_size: int) -> bool:
    """Return whether two steps have the same operations up to the batch size."""

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
    """The inputs of a recorded step, and its results: the output and the new states."""

    tensors: list[Tensor]
    x: Tensor
    states: list[Tensor]
    results: list[Tensor]
    recipes: Recipes


def _recorded(
    cell: Cell, recorder: Recorder, wanted: tuple[bool, ...], batch_size: int, *, projected: bool
) -> _Recorded:
    """Take and record a step of a copy of the cell."""
    states, held = _states_and_tensors(cell, batch_size)
    working = copied(cell)
    before = contents_of(working)
    for name, tensor in before.tensors.items():
        if name in held and held[name].shape != tensor.shape:
            raise Unplannable(
                f"its initial_state stores a tensor with one row per sample ({name!r}); make it part of the state"
            )
    tensors = list(before.tensors.values())
    device, dtype = before.device, before.dtype
    x = _first_x(cell, batch_size, projected=projected)
    if x.dtype != dtype or x.device != device:
        raise Unplannable(f"its project returns {x.dtype} on {x.device}")
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
    """Return the initial state of a copy of the cell, and the copy's tensors after this call."""
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
    """Refuse a step that draws from the generators of Python or NumPy, and restore these."""
    python, numpy = random.getstate(), np.random.get_state(legacy=False)
    yield
    drawn = random.getstate() != python or str(np.random.get_state(legacy=False)) != str(numpy)
    random.setstate(python)
    np.random.set_state(numpy)
    if drawn:
        raise Unplannable("its step draws random numbers from Python or NumPy")


def _differentiate(
    trace: Trace, recorder: Recorder, results: list[Tensor], inputs: list[Tensor], input_grad: bool
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
    """Return a batch size that divides no size of the cell."""
    tensors = contents_of(cell).tensors.values()
    sizes = {s for t in tensors for s in t.shape} | {cell.input_size, cell.hidden_size, cell.output_size}
    sizes |= {s for t in state_tensors(first_states(cell, 1)) for s in t.shape[1:]}
    if projected:
        sizes |= {*_first_x(cell, 2, projected=True).shape[1:]}
    return next(prime for prime in _PRIMES if not any(size % prime == 0 for size in sizes))
