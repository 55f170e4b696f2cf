"""`StepNetwork`: one output vector per time step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqpipe.cells import State
from seqpipe.networks._inputs import make_input
from seqpipe.recurrence import Recurrent

__all__ = ["StepNetwork"]


class StepNetwork(nn.Module):
    """Standardise or embed the input, run a cell over time, and apply the same linear layer at every step.

    Parameters
    ----------
    n_features, n_outputs : int
        Number of features and of outputs per step.
    recurrent : callable (input_size) -> Recurrent
        Creates the recurrent layers.
    n_tokens : int or None
        Size of the vocabulary if the input is token indices, else None.
    embedding : int, "one_hot" or None
        Embedding of token indices; None for numbers.
    dropout : float
        Dropout probability before the output layer.
    dtype : torch.dtype
        Data type of all parameters.
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        recurrent: Callable[[int], Recurrent],
        n_tokens: int | None = None,
        embedding: int | str | None = None,
        dropout: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.input = make_input(n_features, n_tokens, embedding)
        self.recurrent = recurrent(self.input.output_size)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.recurrent.output_size, n_outputs)
        self.to(dtype)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map x (batch, n_timesteps, n_features) and lengths (batch,) to outputs (batch, n_timesteps, n_outputs)."""
        return self.advance(x, lengths, None)[0]

    def advance(self, x: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """Continue from the state returned by an earlier call; return outputs as `forward` does, and the new state."""
        outputs, state = self.recurrent(self.input(x), lengths, state)
        return self.head(self.dropout(outputs)), state
