"""Attention of a decoder over the time steps of the source."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["ATTENTIONS", "AdditiveAttention", "Attention", "DotAttention", "make_attention"]

ATTENTIONS = ("additive", "dot")


class Attention(nn.Module):
    """A weighted mean of the memory for each query; subclasses define the scores of queries and keys.

    Parameters
    ----------
    query_size, memory_size : int
        Number of features of a query, and of a step of the memory.
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.query_size = query_size
        self.memory_size = memory_size

    def keys(self, memory: Tensor) -> Tensor:
        """Map the memory (batch, n_steps, memory_size) to the keys, once per source."""
        raise NotImplementedError

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return the scores (batch, n_queries, n_steps) of queries (batch, n_queries, query_size) and keys."""
        raise NotImplementedError

    def forward(
        self, queries: Tensor, keys: Tensor, memory: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Compute the weighted means and their weights.

        Parameters
        ----------
        queries : tensor of shape (batch, n_queries, query_size)
            The decoder's outputs.
        keys : tensor of shape (batch, n_steps, …)
            The result of `keys` for the memory.
        memory : tensor of shape (batch, n_steps, memory_size)
            The encoder's outputs, finite in the padding.
        mask : tensor of bool, shape (batch, n_steps), optional
            True at valid steps, at least one per row; all are valid by default.

        Returns
        -------
        context : tensor of shape (batch, n_queries, memory_size)
        weights : tensor of shape (batch, n_queries, n_steps)
            Non-negative, with row sums of 1; 0 in the padding.
        """
        scores = self.scores(queries, keys)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None], -torch.inf)
        weights = scores.softmax(dim=2)
        return weights @ memory, weights


class DotAttention(Attention):
    """The dot product of query and step (Luong, Pham and Manning, 2015, arXiv:1508.04025, eq. 8).

    If their sizes differ, the step is first mapped linearly to the size of the query ("general" in the paper).
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(query_size, memory_size)
        same = query_size == memory_size
        self.key = nn.Identity() if same else nn.Linear(memory_size, query_size, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        """Map the memory (batch, n_steps, memory_size) to (batch, n_steps, query_size)."""
        keys: Tensor = self.key(memory)
        return keys

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return qᵀk for queries (batch, n_queries, query_size)."""
        return queries @ keys.transpose(1, 2)


class AdditiveAttention(Attention):
    """A network with one hidden layer over query and step (Bahdanau et al., 2015, arXiv:1409.0473, appendix A.1.2)."""

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(query_size, memory_size)
        self.query = nn.Linear(query_size, query_size, bias=False)
        self.key = nn.Linear(memory_size, query_size)
        self.score = nn.Linear(query_size, 1, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        """Map the memory (batch, n_steps, memory_size) to (batch, n_steps, query_size)."""
        keys: Tensor = self.key(memory)
        return keys

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return vᵀ tanh(W q + U m) for queries (batch, n_queries, query_size)."""
        hidden = torch.tanh(self.query(queries)[:, :, None] + keys[:, None])
        scores: Tensor = self.score(hidden)[:, :, :, 0]
        return scores


def make_attention(name: str, query_size: int, memory_size: int) -> Attention:
    """Return the attention module for a name in `ATTENTIONS`."""
    return DotAttention(query_size, memory_size) if name == "dot" else AdditiveAttention(query_size, memory_size)
