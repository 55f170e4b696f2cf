"""DeltaNet (Yang et al., 2024, arXiv:2406.06484), sections 2.2 and 3.3."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe_delta._matrix_cell import MatrixCell
from seqpipe_delta._parallel import parallel
from seqpipe_delta._products import outer, times

__all__ = ["DeltaNetCell"]


class DeltaNetCell(MatrixCell):
    """A memory that the delta rule updates: S_t = S_{t-1} - β_t (S_{t-1} k_t - v_t) k_tᵀ, o_t = S_t q_t.

    Queries q and keys k are SiLU(W x), normalised to length 1; β = σ(W_β x) is the rate of writing.

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
        self.W = nn.Linear(input_size, 3 * hidden_size)
        self.W_beta = nn.Linear(input_size, num_heads)

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to q, k and v, each of hidden_size features, and β per head."""
        q, k, v = self.W(x).chunk(3, dim=-1)
        q, k = F.normalize(self.heads(F.silu(torch.cat([q, k], dim=-1)), 2), dim=-1).flatten(-2)
        return torch.cat([q, k, v, torch.sigmoid(self.W_beta(x))], dim=-1)

    def step(self, x_t: Tensor, S: Tensor) -> tuple[Tensor, Tensor]:
        """Map x_t (batch, 3 * hidden_size + num_heads) and S (batch, num_heads, d, d) to o and the new S."""
        q, k, v, beta = self._split(x_t)
        S = S - beta[..., None] * outer(times(S, k) - v, k)
        return times(S, q).flatten(1), S

    def scan(self, x: Tensor, S: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
        """Map x (batch, n_timesteps, 3 * hidden_size + num_heads) and S to all o and the final S."""
        q, k, v, beta = self._split(x)
        o, S = parallel((q, beta * k, v, k, beta * k, torch.zeros_like(beta)), S, valid)
        return o.flatten(2), S

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return q, k and v, each (…, num_heads, d), and β (…, num_heads, 1)."""
        wide, beta = x.split([3 * self.hidden_size, self.num_heads], dim=-1)
        q, k, v = self.heads(wide, 3)
        return q, k, v, beta[..., None]
