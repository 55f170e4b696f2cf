"""A run in chunks of time steps whose activations are recomputed in the backward pass instead of stored.

The sublinear memory of Chen et al., 2016, arXiv:1604.06174: about √n_timesteps chunks, of which only the initial states
are stored. ``torch.utils.checkpoint`` would do the same chunk by chunk, but allocates each chunk's working memory
between the stored tensors in the forward pass: the fragmented heap grows as if everything had been stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isqrt
from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.exceptions import CellError
from seqpipe.recurrence._generators import GENERATORS, random_state
from seqpipe.recurrence._states import state_tensors
from seqpipe.recurrence._steps import ValidSteps
from seqpipe.recurrence.contents import contents_of, copied, first_difference
from seqpipe.recurrence.engines import Engine

__all__ = ["recompute"]


def recompute(engine: Engine, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
    """Run an engine, and run its chunks again in the backward pass; see `Engine.run`.

    The second run draws the same random numbers. Gradients cannot be differentiated twice.

    Raises
    ------
    CellError
        If the cell's step changes attributes of the cell, or might do so undetected: a second run would differ.
    """
    contents = contents_of(cell)
    if contents.unseen is not None:
        raise CellError(f"{type(cell).__name__} cannot be run a second time: {contents.unseen}. Use memory='keep'.")
    before, weights = state_tensors(state), tuple(contents.tensors.values())
    if not torch.is_grad_enabled() or not any(t.requires_grad for t in (x, *before, *weights)):
        return engine.run(cell, x, valid, state)
    chunks = _Chunks(engine, cell, x, valid, state, list(contents.tensors))
    output, *after = _Recomputed.apply(chunks, len(before), x, *before, *weights)  # type: ignore[no-untyped-call]
    changed = first_difference(contents.signature, contents_of(cell).signature)
    if changed:
        raise CellError(
            f"{type(cell).__name__}.step changes {changed!r} of the cell, so its steps cannot be run a second time. "
            "Use memory='keep', or make it part of the state."
        )
    return output, chunks.state(after)


class _Chunks:
    """The settings that all chunks of a run share."""

    def __init__(
        self, engine: Engine, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State, names: list[str]
    ) -> None:
        self.engine = engine
        self.cell = cell
        self.valid = valid
        self.names = names
        self.state_is_tuple = isinstance(state, tuple)
        size = isqrt(x.shape[1] - 1) + 1
        self.bounds = [(start, min(start + size, x.shape[1])) for start in range(0, x.shape[1], size)]
        kind = x.device.type
        self.autocast = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None

    def state(self, tensors: Sequence[Tensor]) -> State:
        """Return tensors as the cell's state."""
        return tuple(tensors) if self.state_is_tuple else tensors[0]

    def run(self, cell: Cell, x: Tensor, start: int, stop: int, state: State) -> tuple[Tensor, State]:
        """Run the cell or a copy of it over one chunk, x being the chunk's steps."""
        valid = None if self.valid is None else self.valid.between(start, stop)
        return self.engine.run(cell, x, valid, state)

    def rerun(self, cell: Cell, x: Tensor, start: int, stop: int, state: State) -> tuple[Tensor, State]:
        """Run a copy of the cell over one chunk, under the autocast of the forward pass."""
        with torch.autocast(x.device.type, self.autocast, enabled=self.autocast is not None):
            return self.run(cell, x, start, stop, state)


class _Recomputed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, chunks: _Chunks, n_states: int, x: Tensor, *tensors: Tensor) -> Any:
        before, weights = tensors[:n_states], tensors[n_states:]
        state, outputs = chunks.state(before), x.new_empty(0)
        starts: list[Tensor] = []
        ctx.random = []
        for start, stop in chunks.bounds:
            starts += state_tensors(state)
            ctx.random.append(random_state(x.device))
            output, state = chunks.run(chunks.cell, x[:, start:stop], start, stop, state)
            outputs = outputs if start else output.new_empty(len(x), x.shape[1], output.shape[2])
            outputs[:, start:stop] = output
        ctx.chunks, ctx.n_states = chunks, n_states
        ctx.save_for_backward(x, *weights, *starts)
        return outputs, *state_tensors(state)

    @staticmethod
    def backward(ctx: Any, output_grad: Tensor, *state_grads: Any) -> Any:
        if torch.is_grad_enabled():
            raise RuntimeError(
                'A recomputed run cannot be differentiated twice (create_graph=True). Use Recurrent(…, memory="keep").'
            )
        x, *saved = ctx.saved_tensors
        chunks, n_states, n_weights = ctx.chunks, ctx.n_states, len(ctx.chunks.names)
        weights, starts = [_leaf(w, w.requires_grad) for w in saved[:n_weights]], saved[n_weights:]
        cell = copied(chunks.cell, dict(zip(chunks.names, weights)))
        x_grad = torch.zeros_like(x) if x.requires_grad else None
        sums: list[Any] = [None] * n_weights
        for i, (start, stop) in reversed(list(enumerate(chunks.bounds))):
            part = _leaf(x[:, start:stop], x.requires_grad)
            before = [
                _leaf(s, s.is_floating_point() or s.is_complex()) for s in starts[i * n_states : (i + 1) * n_states]
            ]
            with torch.enable_grad(), _random_numbers(x.device, ctx.random[i]):
                output, after = chunks.rerun(cell, part, start, stop, chunks.state(before))
            results, grads = [output, *state_tensors(after)], [output_grad[:, start:stop], *state_grads]
            part_grad, *found = _grads(results, [part, *before, *weights], grads)
            if x_grad is not None and part_grad is not None:
                x_grad[:, start:stop] = part_grad
            state_grads = tuple(found[:n_states])
            sums = [_sum(a, b) for a, b in zip(sums, found[n_states:])]
        return None, None, x_grad, *state_grads, *sums


def _grads(results: list[Tensor], inputs: list[Tensor], grads: list[Any]) -> list[Any]:
    """Return the gradients with respect to the inputs, None where there is none."""
    live = [(r, g) for r, g in zip(results, grads) if r.requires_grad and g is not None]
    wanted = [t for t in inputs if t.requires_grad]
    if not live:
        return [None] * len(inputs)
    found = iter(torch.autograd.grad([r for r, _ in live], wanted, [g for _, g in live], allow_unused=True))
    return [next(found) if t.requires_grad else None for t in inputs]


def _leaf(tensor: Tensor, requires_grad: bool) -> Tensor:
    return tensor.detach().requires_grad_(requires_grad)


def _sum(total: Tensor | None, more: Tensor | None) -> Tensor | None:
    if total is None or more is None:
        return more if total is None else total
    return total + more


@contextmanager
def _random_numbers(device: torch.device, state: tuple[Tensor, ...]) -> Iterator[None]:
    """Set the generators to a state, and restore them on exit."""
    with GENERATORS:
        now = random_state(device)
        _set_random_state(device, state)
        try:
            yield
        finally:
            _set_random_state(device, now)


def _set_random_state(device: torch.device, state: tuple[Tensor, ...]) -> None:
    torch.set_rng_state(state[0])
    if len(state) > 1:
        torch.get_device_module(device).set_rng_state(state[1], device)
