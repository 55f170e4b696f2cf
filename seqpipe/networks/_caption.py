"""`CaptionNetwork`: maps a vector to a sequence of tokens (Vinyals et al., 2015, arXiv:1411.4555)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqpipe.cells import State
from seqpipe.networks._bridge import Bridge
from seqpipe.networks._dropout import Dropout
from seqpipe.networks._inputs import StandardisedInput
from seqpipe.networks._token_decoder import Source, TokenDecoder
from seqpipe.recurrence import Recurrent

__all__ = ["CaptionNetwork"]


class CaptionNetwork(nn.Module):
    """Standardise a vector and map it to the initial state of a decoder.

    Parameters
    ----------
    n_features, n_outputs : int
        Size of the vector, and of the vocabulary including the end-of-sequence token.
    decoder : callable (input_size) -> Recurrent
        Creates the recurrent layers.
    encoder_size : int or None
        Size of a hidden layer with ReLU activation between vector and state; None for a linear map.
    embedding : int or "one_hot"
        Embedding of token indices.
    sampling : float
        Probability of replacing an input of the decoder by its own output in training (scheduled sampling).
    dropout : float
        Dropout probability before the state and before the output layer.
    dtype : torch.dtype
        Data type of all parameters.
    """

    #: The net passes the targets as well: without them the length of the output is undefined.
    takes_targets = True

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        decoder: Callable[[int], Recurrent],
        encoder_size: int | None = 128,
        embedding: int | str = 32,
        sampling: float = 0.0,
        dropout: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.sampling = sampling
        self.input = StandardisedInput(n_features)
        self.encoder = nn.Identity() if encoder_size is None else _rectified(n_features, encoder_size, dropout)
        self.decoder = TokenDecoder(n_outputs, recurrent=decoder, embedding=embedding, dropout=dropout)
        self.bridge = Bridge(n_features if encoder_size is None else encoder_size, self.decoder.recurrent)
        self.to(dtype)

    def forward(self, x: Tensor, lengths: Tensor | None, y: Tensor) -> Tensor:
        """Map x (batch, 1, n_features) and targets (batch, n_timesteps, 1) to logits (batch, n_timesteps, n_outputs).

        Targets are token indices of any type, terminated and padded by zeros.
        """
        state, source = self.begin(x, lengths)
        return self.decoder.teach(y[:, :, 0].long(), state, source, self.sampling)

    def begin(self, x: Tensor, lengths: Tensor | None) -> tuple[State, Source | None]:
        """Return the initial state of the decoder for x (batch, 1, n_features), and None as it has no attention."""
        return self.bridge(self.encoder(self.input(x)[:, 0]), self.decoder.recurrent), None


def _rectified(n_features: int, size: int, dropout: float) -> nn.Module:
    return nn.Sequential(nn.Linear(n_features, size), nn.ReLU(), Dropout(dropout))
