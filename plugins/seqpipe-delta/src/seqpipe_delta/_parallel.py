"""All steps of S_t = S_{t-1} (diag(w_t) - κ_t b_tᵀ) + v_t k_tᵀ with outputs S_t q_t, in chunks of steps.

With u_t = S_{t-1} κ_t and W_t the product of w_1 to w_t, S_t is S_0 diag(W_t) plus the sum over s <= t of
(v_s k_sᵀ - u_s b_sᵀ) diag(W_t / W_s). Multiplied by κ_{t+1}, this is a triangular system for all u of a chunk, the UT
transform (Yang et al., 2024, arXiv:2406.06484, section 3.2). Quotients W_t / W_s are exponentials of differences of
logarithms, of at most 1: nothing is divided by a product of decays.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Parts", "parallel"]

#: Number of steps per chunk: the quotients of one have as many numbers as this squared, times d.
_CHUNK = 16

#: q, k, v, κ and b, each (batch, n_timesteps, num_heads, d), and log w, with a last dimension of d or 1.
Parts = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def parallel(parts: Parts, S: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the outputs S_t q_t of all steps, and the final state.

    Parameters
    ----------
    parts : Parts
    S : tensor of shape (batch, num_heads, d, d)
        State before the first step.
    valid : tensor of bool, shape (batch, n_timesteps), or None
        Which steps change the state; None if all do.

    Returns
    -------
    outputs : tensor of shape (batch, n_timesteps, num_heads, d)
    S : tensor of shape (batch, num_heads, d, d)
    """
    if valid is not None:
        q, k, v, kappa, b, log_w = parts
        kept = ~valid[..., None, None]
        parts = q, k.masked_fill(kept, 0), v, kappa, b.masked_fill(kept, 0), log_w.masked_fill(kept, 0)
    outputs = []
    for chunk in zip(*(part.transpose(1, 2).split(_CHUNK, dim=2) for part in parts)):
        o, S = _chunk(*chunk, S)
        outputs.append(o)
    return torch.cat(outputs, dim=2).transpose(1, 2), S


def _chunk(
    q: Tensor, k: Tensor, v: Tensor, kappa: Tensor, b: Tensor, log_w: Tensor, S: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the outputs (batch, num_heads, n_steps, d) of a chunk, and the state after it."""
    log_W = log_w.cumsum(dim=-2)
    before = log_W - log_w  # the decay up to the previous step
    u = (torch.exp(before) * kappa) @ S.mT + _weights(kappa, k, before, log_W, -1) @ v
    system = torch.eye(v.shape[-2], dtype=v.dtype, device=v.device) + _weights(kappa, b, before, log_W, -1)
    u = torch.linalg.solve_triangular(system, u, upper=False, unitriangular=True)
    o = (torch.exp(log_W) * q) @ S.mT + _weights(q, k, log_W, log_W, 0) @ v - _weights(q, b, log_W, log_W, 0) @ u
    last = torch.exp(log_W[..., -1:, :] - log_W)
    S = S * torch.exp(log_W[..., -1:, :]) + v.mT @ (last * k) - u.mT @ (last * b)
    return o, S


def _weights(left: Tensor, right: Tensor, until: Tensor, since: Tensor, diagonal: int) -> Tensor:
    """Return Σ_j left_tj right_sj exp(until_tj - since_sj) for s <= t + diagonal, else 0, (…, n_steps, n_steps)."""
    past = torch.ones(left.shape[-2], left.shape[-2], dtype=torch.bool, device=left.device).tril(diagonal)
    decay = torch.exp((until[..., :, None, :] - since[..., None, :, :]).masked_fill(~past[..., None], -torch.inf))
    return (
        (left @ right.mT) * decay[..., 0]
        if decay.shape[-1] == 1
        else torch.einsum("bhtj,bhsj,bhtsj->bhts", left, right, decay)
    )
