"""A planned step and the recordings of its runs; the first batch of given sizes runs eagerly."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from seqpipe.cells import Cell
from seqpipe.recurrence.compiler._second_derivative import refuse_second_derivative
from seqpipe.recurrence.compiler.cudagraph._captured import Captured
from seqpipe.recurrence.compiler.cudagraph._masked import MaskedCell, with_mask
from seqpipe.recurrence.compiler.cudagraph._recording import Record
from seqpipe.recurrence.compiler.eager import EagerProgram, run_eagerly

__all__ = ["CudaGraphProgram", "run_recorded"]

#: Maximum number of remembered sizes per cell.
_MAX_SIZES = 64


class CudaGraphProgram:
    """One cell's step, planned for torch for any batch, and with lengths as data.

    Parameters
    ----------
    record : Record
        Creates recordings.
    max_recordings : int
        Maximum number of cached recordings per cell, each with the memory of a whole run.
    """

    projected = False

    def __init__(
        self,
        record: Record,
        cell: Cell,
        dtype: torch.dtype,
        *,
        input_grad: bool,
        parameter_grads: tuple[bool, ...],
        max_recordings: int,
    ) -> None:
        self.max_recordings = max_recordings
        self.dtype, self.input_grad = dtype, input_grad
        #: Whether inference (False) and training (True) matched the plain loop.
        self.checked: dict[bool, bool] = {}
        self.record = record
        self.whole = EagerProgram(cell, dtype, input_grad=input_grad, parameter_grads=parameter_grads)
        self.recipes = self.whole.recipes
        self.masked = EagerProgram(MaskedCell(cell), dtype, input_grad=input_grad, parameter_grads=parameter_grads)
        # Keyed by the first parameter, and freed with it.
        self._recordings: Any = WeakTensorKeyDictionary()

    @property
    def source(self) -> str:
        """The code of a training step's two loops."""
        return self.whole.source

    def captured(
        self, x: Tensor, lengths: Tensor | None, states: Sequence[Tensor], tensors: Sequence[Tensor], *, training: bool
    ) -> Captured | None:
        """Return the recording for a batch of these sizes, or None on the first batch."""
        if not tensors:
            return None
        recordings = self._recordings.setdefault(tensors[0], Recordings(self.max_recordings))
        stream = torch.cuda.current_stream(x.device).cuda_stream if x.is_cuda else 0
        key = (training, lengths is None, x.shape, stream, *(t.data_ptr() for t in tensors))
        if recordings.closed or not recordings.is_repeated(key):
            return None
        if key not in recordings.kept:
            try:
                with torch.inference_mode(False):  # inference tensors cannot be written to outside
                    recordings.keep(key, self._capture(x, lengths, states, tensors, training))
            except torch.OutOfMemoryError:  # eager runs need less memory
                recordings.close()
        return recordings.kept.get(key)

    def _capture(
        self, x: Tensor, lengths: Tensor | None, states: Sequence[Tensor], tensors: Sequence[Tensor], training: bool
    ) -> Captured:
        if lengths is None:
            return Captured(self.record, self.whole, x, states, tensors, training=training, masked=False)
        x = with_mask(x, lengths)
        return Captured(self.record, self.masked, x, states, tensors, training=training, masked=True)


class Recordings:
    """The recordings of one cell, at most ``size`` of them, least recently used first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.kept: OrderedDict[Hashable, Captured] = OrderedDict()
        self.closed = False
        self._seen: OrderedDict[Hashable, None] = OrderedDict()

    def is_repeated(self, key: Hashable) -> bool:
        """Return whether these sizes were requested before, and remember them."""
        again = key in self._seen
        self._seen[key] = None
        self._seen.move_to_end(key)
        if len(self._seen) > _MAX_SIZES:
            self._seen.popitem(last=False)
        if key in self.kept:
            self.kept.move_to_end(key)
        return again

    def close(self) -> None:
        """Drop all recordings and stop recording."""
        self.kept.clear()
        self.closed = True

    def keep(self, key: Hashable, captured: Captured) -> None:
        """Cache a recording, evicting the least recently used one if there are too many."""
        self.kept[key] = captured
        if len(self.kept) > self.size:
            self.kept.popitem(last=False)


def run_recorded(
    program: CudaGraphProgram,
    x: Tensor,
    lengths: Tensor | None,
    states: tuple[Tensor, ...],
    tensors: tuple[Tensor, ...],
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run over x (batch, n_timesteps, n_features); return the outputs, zero in the padding, and the final states."""
    training = torch.is_grad_enabled() and any(t.requires_grad for t in (x, *states, *tensors))
    with torch.no_grad():
        captured = program.captured(x, lengths, states, tensors, training=training)
    if captured is not None:
        with captured.lock:
            if captured.is_free():
                output, *finals = _run(program, captured, x, lengths, states, tensors, training)
                return output, tuple(finals)
    return _run_eagerly(program, x, lengths, states, tensors)


def _run_eagerly(
    program: CudaGraphProgram,
    x: Tensor,
    lengths: Tensor | None,
    states: tuple[Tensor, ...],
    tensors: tuple[Tensor, ...],
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run the calls that would be recorded, so that results equal those of a replay bit for bit."""
    if lengths is None:
        return run_eagerly(program.whole, x, None, states, tensors)
    x = with_mask(x, lengths)
    output, finals = run_eagerly(program.masked, x, None, states, tensors)
    return torch.where(x[:, :, -1:] > 0.5, output, 0), finals


def _run(
    program: CudaGraphProgram,
    captured: Captured,
    x: Tensor,
    lengths: Tensor | None,
    states: tuple[Tensor, ...],
    tensors: tuple[Tensor, ...],
    training: bool,
) -> list[Tensor]:
    if training:
        return _GraphRecurrence.apply(  # type: ignore[no-untyped-call]
            program, captured, lengths, len(states), x, *states, *tensors
        )
    with torch.no_grad():
        return captured.run(x if lengths is None else with_mask(x, lengths), states)[1]


class _GraphRecurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        program: CudaGraphProgram,
        captured: Captured,
        lengths: Tensor | None,
        n_states: int,
        x: Tensor,
        *rest: Tensor,
    ) -> tuple[Tensor, ...]:
        # Saved through torch, which raises in the backward pass if they were changed in place.
        ctx.save_for_backward(x, *rest)
        ctx.program, ctx.captured, ctx.lengths, ctx.n_states = program, captured, lengths, n_states
        ctx.lease, results = captured.run(x if lengths is None else with_mask(x, lengths), rest[:n_states])
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, output_grad: Tensor, *state_grads: Tensor) -> Any:
        refuse_second_derivative()
        x, *rest = ctx.saved_tensors
        with ctx.captured.lock:
            if ctx.captured.holds(ctx.lease):
                found = ctx.captured.run_backward(ctx.lease, output_grad, state_grads)
                return None, None, None, None, *found
        return None, None, None, None, *_rerun_backward(ctx, x, rest, output_grad, state_grads)


def _rerun_backward(ctx: Any, x: Tensor, rest: list[Tensor], output_grad: Tensor, state_grads: Sequence[Tensor]) -> Any:
    """Run the forward and backward pass eagerly, after another batch has reused the recording's memory."""
    inputs = [t.detach().requires_grad_(needed) for t, needed in zip((x, *rest), ctx.needs_input_grad[4:])]
    x, states, tensors = inputs[0], tuple(inputs[1 : 1 + ctx.n_states]), tuple(inputs[1 + ctx.n_states :])
    with torch.enable_grad():
        output, finals = _run_eagerly(ctx.program, x, ctx.lengths, states, tensors)
        wanted = [t for t in inputs if t.requires_grad]
        found = iter(torch.autograd.grad((output, *finals), wanted, (output_grad, *state_grads), allow_unused=True))
    return [next(found) if t.requires_grad else None for t in inputs]
