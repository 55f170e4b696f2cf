"""Linear recurrences, h_t = a_t ⊙ h_{t-1} + b_t, forwards or backwards in time.

A sequential run takes n_timesteps calls. With chunks of L steps (Blelloch, 1990, CMU-CS-90-190, on two levels), the
first steps of all chunks are computed together, then the second ones, and so on: L calls give each chunk's result from
a zero state and the factor it applies to its initial state, one call per chunk gives the initial states, and L more
calls give the steps from these. No division and no logarithm is involved, so gates may be 0 and values negative.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.engines._thread_policy import POLICY

__all__ = ["linear_recurrence"]

#: Minimum number of steps for chunks.
_MIN_STEPS = 32


def linear_recurrence(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """Return h_t = a_t ⊙ h_{t-1} + b_t for every step; differentiable any number of times.

    Parameters
    ----------
    a : tensor
        Factors, of as many dimensions as b and broadcastable to it.
    b : tensor of shape (batch, n_timesteps, …)
        Summands, with n_timesteps >= 1.
    h : tensor of shape (batch, …)
        Initial state, real or complex; a and b are converted to its type.

    Returns
    -------
    tensor of shape (batch, n_timesteps, …)
    """
    a, b = a.to(h.dtype).expand_as(b), b.to(h.dtype)
    return _LinearRecurrence.apply(a, b, h, False)  # type: ignore[no-untyped-call]


class _LinearRecurrence(torch.autograd.Function):
    """The gradient λ of h is a linear recurrence backwards in time: λ_t = a̅_{t+1} ⊙ λ_{t+1} + ∂loss/∂h_t."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, h: Tensor, backwards: bool) -> Tensor:
        chunked = _chunked(a, b, h, backwards) if _use_chunks(b) else None
        outputs = _sequential(a, b, h, backwards) if chunked is None else chunked
        ctx.save_for_backward(a, h, outputs)
        ctx.backwards = backwards
        return outputs

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        a, h, outputs = ctx.saved_tensors
        a = a.conj()
        first = -1 if ctx.backwards else 0
        following = _shifted(a, torch.zeros_like(h), not ctx.backwards)
        gradient = _LinearRecurrence.apply(  # type: ignore[no-untyped-call]
            following, grad, torch.zeros_like(h), not ctx.backwards
        )
        before = _shifted(outputs, h, ctx.backwards)
        return gradient * before.conj(), gradient, a[:, first] * gradient[:, first], None


def _shifted(x: Tensor, first: Tensor, backwards: bool) -> Tensor:
    """Return, for each step, x of the previously computed step."""
    parts = [x[:, 1:], first[:, None]] if backwards else [first[:, None], x[:, :-1]]
    return torch.cat(parts, dim=1)


def _use_chunks(b: Tensor) -> bool:
    """Return whether chunks are faster: on a CPU for small batches of long sequences, elsewhere for all long ones."""
    if b.shape[1] < _MIN_STEPS:
        return False
    return b.device.type != "cpu" or b[:, 0].numel() <= POLICY.scanned_step * torch.get_num_threads()


def _steps(x: Tensor, dim: int, backwards: bool) -> tuple[Tensor, ...]:
    steps = x.unbind(dim)
    return steps[::-1] if backwards else steps


def _sequential(a: Tensor, b: Tensor, h: Tensor, backwards: bool) -> Tensor:
    outputs = torch.empty_like(b, memory_format=torch.contiguous_format)
    _take_steps(_steps(a, 1, backwards), _steps(b, 1, backwards), h, _steps(outputs, 1, backwards))
    return outputs


def _take_steps(a: tuple[Tensor, ...], b: tuple[Tensor, ...], h: Tensor, outputs: tuple[Tensor, ...]) -> None:
    for a_t, b_t, output in zip(a, b, outputs, strict=True):
        h = torch.addcmul(b_t, a_t, h, out=output)


def _chunked(a: Tensor, b: Tensor, h: Tensor, backwards: bool) -> Tensor | None:
    """Run in chunks; return None if a chunk's factor overflows, though the recurrence itself might not."""
    n_timesteps = b.shape[1]
    length = math.isqrt(n_timesteps // 2)  # the fewest calls
    rest = n_timesteps % length
    cut = rest if backwards else n_timesteps - rest
    whole, left = (slice(cut, None), slice(cut)) if backwards else (slice(cut), slice(cut, None))
    outputs = torch.empty_like(b, memory_format=torch.contiguous_format)
    chunks = [_steps(x[:, whole].unflatten(1, (-1, length)), 2, backwards) for x in (a, b, outputs)]
    starts = _starts(chunks[0], chunks[1], h, backwards)
    if starts is None:
        return None
    _take_steps(chunks[0], chunks[1], starts, chunks[2])
    last = outputs[:, cut if backwards else cut - 1]
    a_t, b_t, output_t = (_steps(x[:, left], 1, backwards) for x in (a, b, outputs))
    _take_steps(a_t, b_t, last, output_t)
    return outputs


def _starts(a: tuple[Tensor, ...], b: tuple[Tensor, ...], h: Tensor, backwards: bool) -> Tensor | None:
    """Return the initial state of each chunk, (batch, n_chunks, …), from the steps of all chunks."""
    factor, own = a[0].clone(), b[0].clone()
    for a_t, b_t in zip(a[1:], b[1:]):
        factor.mul_(a_t)
        torch.addcmul(b_t, a_t, own, out=own)
    if not torch.isfinite(factor).all():
        return None
    starts = torch.empty_like(own)
    before = _steps(starts, 1, backwards)
    before[0].copy_(h)
    _take_steps(_steps(factor, 1, backwards)[:-1], _steps(own, 1, backwards)[:-1], before[0], before[1:])
    return starts
