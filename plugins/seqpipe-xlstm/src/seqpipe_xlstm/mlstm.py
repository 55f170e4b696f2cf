"""mLSTM (Beck et al., 2024, arXiv:2405.04517), section 2.3, and its parallel form, appendix A.3, in chunks of steps."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seqpipe
from seqpipe_xlstm._heads import head_size

__all__ = ["MLSTMCell"]

State = tuple[Tensor, Tensor, Tensor]

#: Number of steps that the parallel form computes at once; its cost per step grows with them.
_CHUNK = 64
#: Largest exponent of exp(-m): beyond it the output is 0 in any precision, and its square must not overflow.
_LARGEST = 40.0


class MLSTMCell(seqpipe.Cell):
    """A matrix memory: C_t = f C_{t-1} + i v kᵀ, n_t = f n_{t-1} + i k, h_t = o ⊙ C_t q / max(|n_tᵀ q|, 1).

    i = exp(ĩ), f = σ(f̃), o, and query q, key k and value v depend on x alone. The stabiliser m keeps the exponents of the
    gates at 0 or below: C and n of the state are those of the equations times exp(-m).

    Parameters
    ----------
    input_size : int
        Number of features per time step.
    hidden_size : int
        Number of features in the hidden state, of all heads.
    num_heads : int, default=1
        Number of heads, each with a matrix of its own.

    Raises
    ------
    ValueError
        If num_heads does not divide hidden_size.
    """

    def __init__(self, input_size: int, hidden_size: int, num_heads: int = 1) -> None:
        super().__init__(input_size, hidden_size)
        self.head_size = head_size(hidden_size, num_heads, "MLSTMCell")
        self.num_heads = num_heads
        self.W = nn.Linear(input_size, 4 * hidden_size)
        self.gates = nn.Linear(input_size, 2 * num_heads)
        with torch.no_grad():
            self.gates.bias[num_heads:] = torch.linspace(3, 6, num_heads)  # forget gate, as in the reference code

    def initial_state(self, batch_size: int) -> State:
        """Return zeros for C (batch_size, num_heads, d, d), n (batch_size, num_heads, d) and m (batch_size, num_heads)."""
        shape = (batch_size, self.num_heads, self.head_size)
        zeros = self.gates.bias.new_zeros(shape)
        return zeros.new_zeros(*shape, self.head_size), zeros, zeros.new_zeros(shape[:2])

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to q, k / √d, v and o, then ĩ and log f per head."""
        q, k, v, o = self.W(x).chunk(4, dim=-1)
        i, f = self.gates(x).chunk(2, dim=-1)
        return torch.cat([q, k / math.sqrt(self.head_size), v, torch.sigmoid(o), i, F.logsigmoid(f)], dim=-1)

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """Map x_t (batch, 4 * hidden_size + 2 * num_heads) and the state to h and the new state."""
        q, k, v, o, i, log_f = self._split(x_t)
        C, n, m = state
        m_t = torch.maximum(log_f + m, i)
        i, f = torch.exp(i - m_t)[..., None], torch.exp(log_f + m - m_t)[..., None]
        C = f[..., None] * C + i[..., None] * (v[..., :, None] * k[..., None, :])
        n = f * n + i * k
        h = o * _read((C * q[..., None, :]).sum(dim=-1), (n * q).sum(dim=-1), m_t)
        return h.flatten(-2), (C, n, m_t)

    def scan(self, x: Tensor, state: State, valid: Tensor | None) -> tuple[Tensor, State]:
        """Map x (batch, n_timesteps, 4 * hidden_size + 2 * num_heads) and the state to all h and the final state."""
        q, k, v, o, i, log_f = self._split(x)
        if valid is not None:
            i, log_f = i.masked_fill(~valid[..., None], -math.inf), log_f.masked_fill(~valid[..., None], 0)
        outputs = []
        for chunk in zip(*(part.split(_CHUNK, dim=1) for part in (q, k, v, i, log_f))):
            h, state = _chunk(*(part.movedim(1, 2) for part in chunk), state)
            outputs.append(h)
        return (o * torch.cat(outputs, dim=2).movedim(2, 1)).flatten(-2), state

    def _split(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return q, k, v and o, each (…, num_heads, d), and ĩ and log f, each (…, num_heads)."""
        wide, i, log_f = x.split([4 * self.hidden_size, self.num_heads, self.num_heads], dim=-1)
        q, k, v, o = wide.unflatten(-1, (4, self.num_heads, -1)).movedim(-3, 0)
        return q, k, v, o, i, log_f


def _read(numerator: Tensor, denominator: Tensor, m: Tensor) -> Tensor:
    """Return C q / max(|nᵀ q|, 1) from C q (…, d) and nᵀ q (…), both times exp(-m)."""
    return numerator / torch.maximum(denominator.abs(), torch.exp((-m).clamp(max=_LARGEST)))[..., None]


def _chunk(q: Tensor, k: Tensor, v: Tensor, i: Tensor, log_f: Tensor, state: State) -> tuple[Tensor, State]:
    """Return C q / max(|nᵀ q|, 1) and the state after it for some steps, from parts (batch, num_heads, n_steps, …)."""
    C, n, m = state
    F_t = log_f.cumsum(dim=-1)
    before = F_t + m[..., None]  # log weight of the state, at each step
    past = torch.ones(F_t.shape[-1], F_t.shape[-1], dtype=torch.bool, device=q.device).tril()
    log_D = (F_t[..., :, None] - F_t[..., None, :] + i[..., None, :]).masked_fill(~past, -math.inf)
    m_t = torch.maximum(log_D.amax(dim=-1), before)
    D, kept = torch.exp(log_D - m_t[..., None]), torch.exp(before - m_t)[..., None]
    S = (q @ k.mT) * D
    h = _read(S @ v + kept * (q @ C.mT), S.sum(dim=-1) + kept[..., 0] * (q @ n[..., None])[..., 0], m_t)
    last = D[..., -1, :, None]
    C = kept[..., -1, :, None] * C + (last * v).mT @ k
    n = kept[..., -1, :] * n + (last * k).sum(dim=-2)
    return h, (C, n, m_t[..., -1])
