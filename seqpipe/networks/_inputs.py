"""Input layers: standardisation of numbers, and embeddings of token indices."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["InputLayer", "OneHotInput", "StandardisedInput", "TokenEmbedding", "make_input"]


class StandardisedInput(nn.Module):
    """Subtract the mean and divide by the standard deviation; the identity until `set` is called."""

    shift: Tensor
    scale: Tensor

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.output_size = n_features
        self.register_buffer("shift", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))

    def set(self, mean: Tensor, scale: Tensor) -> None:
        """Set the statistics, of shape (n_features,)."""
        self.shift.copy_(mean)
        self.scale.copy_(scale)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, n_features) to the same shape."""
        return (x - self.shift) / self.scale


class OneHotInput(nn.Module):
    """One-hot encoding of token indices."""

    def __init__(self, n_tokens: int) -> None:
        super().__init__()
        self.output_size = n_tokens

    def forward(self, x: Tensor) -> Tensor:
        """Map token indices x (batch, n_timesteps, 1) of any type to (batch, n_timesteps, n_tokens) of that type."""
        return F.one_hot(x[:, :, 0].long(), self.output_size).to(x.dtype)


class TokenEmbedding(nn.Module):
    """Trainable embedding of token indices."""

    def __init__(self, n_tokens: int, size: int) -> None:
        super().__init__()
        self.output_size = size
        self.table = nn.Embedding(n_tokens, size)

    def forward(self, x: Tensor) -> Tensor:
        """Map token indices x (batch, n_timesteps, 1), of any type, to (batch, n_timesteps, size)."""
        embedded: Tensor = self.table(x[:, :, 0].long())
        return embedded


InputLayer = StandardisedInput | OneHotInput | TokenEmbedding


def make_input(n_features: int, n_tokens: int | None = None, embedding: int | str | None = None) -> InputLayer:
    """Return the input layer.

    Parameters
    ----------
    n_features : int
        Number of features per step; 1 for tokens.
    n_tokens : int or None
        Size of the vocabulary.
    embedding : int, "one_hot" or None
        Embedding size; None for numbers.
    """
    if embedding is None:
        return StandardisedInput(n_features)
    if n_features != 1 or n_tokens is None:
        raise ValueError(f"embedding={embedding!r} takes one token index per step, got {n_features} features.")
    return OneHotInput(n_tokens) if embedding == "one_hot" else TokenEmbedding(n_tokens, int(embedding))
