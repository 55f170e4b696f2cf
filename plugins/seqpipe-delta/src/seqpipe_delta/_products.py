"""Products of the matrices of all heads with vectors, elementwise and summed, which seqpipe's compiler fuses."""

from __future__ import annotations

from torch import Tensor

__all__ = ["outer", "times"]


def times(S: Tensor, k: Tensor) -> Tensor:
    """Return S k for S (…, d, d) and k (…, d)."""
    return (S * k[..., None, :]).sum(dim=-1)


def outer(v: Tensor, k: Tensor) -> Tensor:
    """Return v kᵀ for v and k (…, d)."""
    return v[..., :, None] * k[..., None, :]
