"""A batch's way forward, and back, recorded for its sizes: each time it is replayed with other numbers."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler.cudagraph._recording import Record, Recording
from seqpipe.recurrence.compiler.eager import EagerProgram, ForwardRun, Packing

__all__ = ["Captured", "Lease"]


class Lease:
    """The right of a way back to what a way forward has left."""

    def __init__(self) -> None:
        self.ended = False


class Captured:
    """Recorded calls on memory of their own.

    Parameters
    ----------
    record : Record
    program : EagerProgram
        Of a `MaskedCell` where ``masked``.
    x : tensor of shape (batch, n_timesteps, n_features)
        Tells sizes; as the program takes it.
    states : sequence of tensor
    tensors : sequence of tensor
        Parameters and buffers, read where they are now at every replay.
    training : bool
        Whether the way back is recorded too.
    masked : bool
        Whether the last feature of x tells the valid steps.
    """

    def __init__(
        self,
        record: Record,
        program: EagerProgram,
        x: Tensor,
        states: Sequence[Tensor],
        tensors: Sequence[Tensor],
        *,
        training: bool,
        masked: bool,
    ) -> None:
        self.lock = threading.Lock()
        self._lease: weakref.ref[Lease] | None = None
        self._program, self._masked, self._training = program, masked, training
        self._x = torch.empty_like(x, memory_format=torch.contiguous_format).copy_(x)
        self._states = [s.clone(memory_format=torch.contiguous_format) for s in states]
        # Other objects on the same memory: the cell's own would never be freed while these recordings are.
        self._tensors = tuple(t.detach() for t in tensors)
        self._packing = Packing(len(x), x.shape[1], None, x.device)
        self._forward = record(self._go_forward, x.device, None)
        self._backward = self._record_back(record) if training else None

    def _go_forward(self) -> list[Tensor | None]:
        passed, output, finals = self._program.forward(
            self._packing, self._x, tuple(self._states), self._tensors, keep=self._training
        )
        output = self._cleared(output)
        return [output, *finals, *passed.stacks, *passed.kept] if self._training else [output, *finals]

    def _record_back(self, record: Record) -> Recording:
        n = len(self._states)
        output, *rest = (t for t in self._forward.results if t is not None)
        passed = ForwardRun(self._packing, rest[n : 2 * n], rest[2 * n :])
        self._output_grad = torch.zeros_like(output)
        self._state_grads = [torch.zeros_like(s) for s in self._states]

        def go_back() -> list[Tensor | None]:
            grad = self._cleared(self._output_grad)
            x_grad, before, parameters = self._program.backward(passed, self._tensors, grad, tuple(self._state_grads))
            x_grad = x_grad[:, :, :-1] if self._masked and x_grad is not None else x_grad
            return [x_grad, *before, *parameters]

        return record(go_back, output.device, getattr(self._forward, "pool", None))

    def _cleared(self, rows: Tensor) -> Tensor:
        """Return outputs, or their gradient, with zeros in the padding."""
        return torch.where(self._x[:, :, -1:] > 0.5, rows, 0) if self._masked else rows

    def is_free(self) -> bool:
        """Tell whether no way back waits for what the last way forward has left."""
        lease = None if self._lease is None else self._lease()
        return lease is None or lease.ended

    def run(self, x: Tensor, states: Sequence[Tensor]) -> tuple[Lease, list[Tensor]]:
        """Return outputs, and final states, and the right to go back."""
        lease = Lease()
        self._lease = weakref.ref(lease)
        _fill([self._x, *self._states], [x, *states])
        self._forward.replay()
        results = self._forward.results[: 1 + len(self._states)]
        return lease, [t.clone() for t in results if t is not None]

    def holds(self, lease: Lease) -> bool:
        """Tell whether no other way forward has begun since."""
        return self._lease is not None and self._lease() is lease

    def run_back(self, lease: Lease, output_grad: Tensor, state_grads: Sequence[Tensor]) -> list[Tensor | None]:
        """Return the gradients of x, of the states before, and of parameters and buffers."""
        assert self._backward is not None
        _fill([self._output_grad, *self._state_grads], [output_grad, *state_grads])
        self._backward.replay()
        lease.ended = True
        return [None if t is None else t.clone() for t in self._backward.results]


def _fill(places: Sequence[Tensor], given: Sequence[Any]) -> None:
    for place, tensor in zip(places, given):
        place.copy_(tensor)
