"""Beam search for the most probable output sequences of a decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seqpipe.networks._decoding import Decoding, WritingNetwork
from seqpipe.networks._token_decoder import END

__all__ = ["Hypotheses", "beam_search"]


@dataclass(frozen=True)
class Hypotheses:
    """The best outputs for each source, in decreasing order of score.

    Attributes
    ----------
    tokens : tensor of int64, shape (batch, n_best, max_length)
        Padded with the end-of-sequence token.
    scores : tensor of shape (batch, n_best)
        Log-probability divided by the length penalty; -inf if there are fewer outputs.
    """

    tokens: Tensor
    scores: Tensor


def beam_search(
    networks: Sequence[WritingNetwork],
    x: Tensor,
    lengths: Tensor | None,
    *,
    max_length: int,
    width: int = 1,
    length_penalty: float = 0.0,
    n_best: int = 1,
) -> Hypotheses:
    """Search for the outputs with the highest scores.

    At each step the ``width`` best continuations of all live hypotheses are kept; a hypothesis that ends leaves the
    beam (Sutskever, Vinyals and Le, 2014, arXiv:1409.3215, section 3.2). The score is log P / ((5 + n) /
    6)^length_penalty, where n counts the steps, including the end-of-sequence token (Wu et al., 2016, arXiv:1609.08144,
    eq. 14). Outputs are truncated at ``max_length`` tokens. Width 1 is greedy search: the most probable token at each
    step.

    Parameters
    ----------
    decoder : TokenDecoder
        In evaluation mode.
    state : State
        Initial state of the decoder, one row per source.
    source : Source or None
        The source that the decoder attends to.
    max_length : int
        Maximum number of tokens of an output.
    width : int
        Number of hypotheses kept per source.
    length_penalty : float
        Non-negative; 0 for no normalization by length, larger values favour longer outputs.
    n_best : int
        Number of outputs to return per source, at most ``width``.
    """
    decoding = Decoding(networks, x, lengths, times=width)
    beam = _Beam(len(x), width, max_length, length_penalty, decoding.like)
    for t in range(1, max_length + 1):
        rows = beam.advance(decoding.advance(beam.last.flatten()), t)
        if beam.is_done(t, n_best):
            break
        decoding.select(rows)
    return beam.best(n_best)


class _Beam:
    """The live and the finished hypotheses of all sources."""

    def __init__(self, n: int, width: int, max_length: int, length_penalty: float, like: Tensor) -> None:
        self.width = width
        self.max_length = max_length
        self.length_penalty = length_penalty
        self.live = like.new_full((n, width), -torch.inf)
        self.live[:, 0] = 0.0  # all start identical: one is enough
        self.tokens = torch.full((n, width, max_length), END, device=like.device)
        self.last = torch.full((n, width), END, device=like.device)
        self.ended = like.new_full((n, width), -torch.inf)
        self.ended_tokens = self.tokens.clone()

    def advance(self, log_probabilities: Tensor, t: int) -> Tensor:
        """Advance by step ``t``, from 1, given (n * width, n_tokens); return the parent rows of the live hypotheses."""
        n, n_tokens = len(self.live), log_probabilities.shape[1]
        totals = self.live[:, :, None] + log_probabilities.view(n, self.width, n_tokens)
        self.live, places = totals.flatten(1).topk(self.width, dim=1)
        parents, self.last = places // n_tokens, places % n_tokens
        self.tokens = self.tokens.gather(1, parents[:, :, None].expand_as(self.tokens))
        self.tokens[:, :, t - 1] = self.last
        ends = (self.last == END) if t < self.max_length else torch.ones_like(self.last, dtype=torch.bool)
        self._end(ends, t)
        self.live = self.live.masked_fill(ends, -torch.inf)
        return (parents + self.width * torch.arange(n, device=parents.device)[:, None]).flatten()

    def _end(self, ends: Tensor, t: int) -> None:
        scores = torch.where(ends, self.live / self._penalty(t), -torch.inf)
        self.ended, places = torch.cat([self.ended, scores], dim=1).topk(self.width, dim=1)
        tokens = torch.cat([self.ended_tokens, self.tokens], dim=1)
        self.ended_tokens = tokens.gather(1, places[:, :, None].expand_as(self.tokens))

    def _penalty(self, t: int) -> float:
        return float(((5 + t) / 6) ** self.length_penalty)

    def is_done(self, t: int, n_best: int) -> bool:
        """Return whether no live hypothesis can still be among the best, as probabilities only decrease with length."""
        reachable = self.live.amax(dim=1) / self._penalty(self.max_length)
        return bool((self.ended[:, n_best - 1] >= reachable).all())

    def best(self, n_best: int) -> Hypotheses:
        """Return the best finished hypotheses."""
        return Hypotheses(self.ended_tokens[:, :n_best], self.ended[:, :n_best])
