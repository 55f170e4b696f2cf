"""`LanguageNetwork`: predicts the next token at every step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.cells import State
from seqpipe.networks._dropout import Dropout
from seqpipe.networks._inputs import make_input
from seqpipe.recurrence import Recurrent

__all__ = ["LanguageNetwork"]


class LanguageNetwork(nn.Module):
    """Embed the tokens, concatenate the one-hot label, run a cell over time, and compute logits of the next token.

    Parameters
    ----------
    n_tokens : int
        Size of the vocabulary.
    n_labels : int
        Number of classes of texts; 0 for texts without classes.
    recurrent : callable (input_size) -> Recurrent
        Creates the recurrent layers.
    embedding : int or "one_hot"
        Embedding of token indices.
    dropout : float
        Dropout probability before the output layer.
    dtype : torch.dtype
        Data type of all parameters.
    """

    def __init__(
        self,
        n_tokens: int,
        n_labels: int,
        *,
        recurrent: Callable[[int], Recurrent],
        embedding: int | str = "one_hot",
        dropout: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.n_labels = n_labels
        self.input = make_input(1, n_tokens, embedding)
        self.recurrent = recurrent(self.input.output_size + n_labels)
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(self.recurrent.output_size, n_tokens)
        self.to(dtype)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map x (batch, n_timesteps, 1 or 2), token and label indices, to logits (batch, n_timesteps, n_tokens)."""
        return self.advance(x, lengths, None)[0]

    def advance(self, x: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """Continue from the state returned by an earlier call; return logits as `forward` does, and the new state."""
        vectors = self.input(x[:, :, :1])
        if self.n_labels:
            labels = F.one_hot(x[:, :, 1].long(), self.n_labels)
            vectors = torch.cat([vectors, labels.to(vectors.dtype)], dim=2)
        outputs, state = self.recurrent(vectors, lengths, state)
        return self.head(self.dropout(outputs)), state
