"""RWKV-7's generalised delta rule (Peng et al., 2025, arXiv:2503.14456), equations 2 to 17, without its blocks.

The paper computes r, k, v, a and w from a mixture of this token and the last, the latter two by low-rank networks, and
normalises and gates the output. Here each is a linear map of x.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe_delta._matrix_cell import MatrixCell
from seqpipe_delta._parallel import parallel
from seqpipe_delta._products import outer, times

__all__ = ["RWKV7Cell"]


class RWKV7Cell(MatrixCell):
    """A decay w and a rate a per column: S_t = S_{t-1} (diag(w_t) - κ̂_t (a_t ⊙ κ̂_t)ᵀ) + v_t k̃_tᵀ.

    w = exp(-e^(-1/2) σ(d)); κ̂ = k ⊙ ξ, of length 1, is the key that is removed; k̃ = k ⊙ (1 + (a - 1) ⊙ α) the one
    that is added. The output is S_t r_t plus a bonus for this step, (r_tᵀ (ρ ⊙ k̃_t)) v_t.

    Parameters
    ----------
    input_size : int
        Number of features per time step.
    hidden_size : int
        Number of features of the output, of all heads.
    num_heads : int, default=1
        Number of heads.

    Raises
    ------
    ValueError
        If num_heads does not divide hidden_size.
    """

    def __init__(self, input_size: int, hidden_size: int, num_heads: int = 1) -> None:
        super().__init__(input_size, hidden_size, num_heads)
        self.W = nn.Linear(input_size, 5 * hidden_size)
        self.xi = nn.Parameter(torch.full((hidden_size,), 0.85))
        self.alpha = nn.Parameter(torch.ones(hidden_size))
        self.rho = nn.Parameter(torch.zeros(hidden_size))

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to r, k̃, v, κ̂, a and log w, each of hidden_size features."""
        r, k, v, a, d = self.W(x).chunk(5, dim=-1)
        a = torch.sigmoid(a)
        kappa = F.normalize(self.heads(k * self.xi)[0], dim=-1).flatten(-2)
        k = k * (1 + (a - 1) * self.alpha)
        log_w = -math.exp(-0.5) * torch.sigmoid(d)
        return torch.cat([r, k, v, kappa, a, log_w], dim=-1)

    def step(self, x_t: Tensor, S: Tensor) -> tuple[Tensor, Tensor]:
        """Map x_t (batch, 6 * hidden_size) and S (batch, num_heads, d, d) to the output and the new S."""
        r, k, v, kappa, a, log_w = self.heads(x_t, 6)
        S = S * torch.exp(log_w)[..., None, :] - outer(times(S, kappa), a * kappa) + outer(v, k)
        return (times(S, r) + self._bonus(r, k, v)).flatten(1), S

    def scan(self, x: Tensor, S: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
        """Map x (batch, n_timesteps, 6 * hidden_size) and S to all outputs and the final S."""
        r, k, v, kappa, a, log_w = self.heads(x, 6)
        y, S = parallel((r, k, v, kappa, a * kappa, log_w), S, valid)
        return (y + self._bonus(r, k, v)).flatten(2), S

    def _bonus(self, r: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (r * self.heads(self.rho)[0] * k).sum(dim=-1, keepdim=True) * v
