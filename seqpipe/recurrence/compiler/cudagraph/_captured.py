"""A recorded forward and backward pass for one set of batch sizes, replayed with new data."""

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
    """The claim of a backward pass to the values stored by its forward pass."""

    def __init__(self) -> None:
        self.ended = False


class Captured:
    """Recorded calls on their own memory.

    Parameters
    ----------
    record : Record
    program : EagerProgram
        The program of a `MaskedCell` if ``masked``.
    x : tensor of shape (batch, n_timesteps, n_features)
        An input of the program, which determines the sizes.
    states : sequence of tensor
    tensors : sequence of tensor
        Parameters and buffers; every replay reads them from their current memory.
    training : bool
        Whether the backward pass is recorded too.
    masked : bool
        Whether the last feature of x marks the valid steps.
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
        # New objects on the same memory: references to the cell's own tensors would keep them alive.
        self._tensors = tuple(t.detach() for t in tensors)
        self._packing = Packing(len(x), x.shape[1], None, x.device)
        self._forward = record(self._run_forward, x.device, None)
        self._backward = self._record_backward(record) if training else None

    def _run_forward(self) -> list[Tensor | None]:
        stored, output, finals = self._program.forward(
            self._packing, self._x, tuple(self._states), self._tensors, keep=self._training
        )
        output = self._zero_padding(output)
        return [output, *finals, *stored.stacks, *stored.kept] if self._training else [output, *finals]

    def _record_backward(self, record: Record) -> Recording:
        n = len(self._states)
        output, *rest = (t for t in self._forward.results if t is not None)
        stored = ForwardRun(self._packing, rest[n : 2 * n], rest[2 * n :])
        self._output_grad = torch.zeros_like(output)
        self._state_grads = [torch.zeros_like(s) for s in self._states]

        def run_backward() -> list[Tensor | None]:
            grad = self._zero_padding(self._output_grad)
            x_grad, before, parameters = self._program.backward(stored, self._tensors, grad, tuple(self._state_grads))
            x_grad = x_grad[:, :, :-1] if self._masked and x_grad is not None else x_grad
            return [x_grad, *before, *parameters]

        return record(run_backward, output.device, getattr(self._forward, "pool", None))

    def _zero_padding(self, rows: Tensor) -> Tensor:
        """Return outputs, or their gradient, zero in the padding."""
        return torch.where(self._x[:, :, -1:] > 0.5, rows, 0) if self._masked else rows

    def is_free(self) -> bool:
        """Return whether no backward pass is pending for the last forward pass."""
        lease = None if self._lease is None else self._lease()
        return lease is None or lease.ended

    def run(self, x: Tensor, states: Sequence[Tensor]) -> tuple[Lease, list[Tensor]]:
        """Return the lease for the backward pass, and the outputs and final states."""
        lease = Lease()
        self._lease = weakref.ref(lease)
        _fill([self._x, *self._states], [x, *states])
        self._forward.replay()
        results = self._forward.results[: 1 + len(self._states)]
        return lease, [t.clone() for t in results if t is not None]

    def holds(self, lease: Lease) -> bool:
        """Return whether no other forward pass has started since."""
        return self._lease is not None and self._lease() is lease

    def run_backward(self, lease: Lease, output_grad: Tensor, state_grads: Sequence[Tensor]) -> list[Tensor | None]:
        """Return the gradients of x, of the initial states, and of parameters and buffers."""
        assert self._backward is not None
        _fill([self._output_grad, *self._state_grads], [output_grad, *state_grads])
        self._backward.replay()
        lease.ended = True
        return [None if t is None else t.clone() for t in self._backward.results]


def _fill(places: Sequence[Tensor], given: Sequence[Any]) -> None:
    for place, tensor in zip(places, given):
        place.copy_(tensor)
