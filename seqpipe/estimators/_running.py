"""Incremental pooling for streams, in memory that does not depend on the number of steps.

Sums are accumulated in float64, since streams may be long.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from seqpipe.networks import AttentionPooling, LastMeanPooling, LastPooling, MaxPooling, MeanPooling

__all__ = ["RunningPooling", "running_pooling"]


class RunningPooling(Protocol):
    """Pools the outputs of one sequence incrementally; a shallow copy is independent."""

    def update(self, outputs: Tensor) -> Tensor:
        """Add outputs of shape (1, n_timesteps, n_features); return the pooled outputs so far, (1, n_pooled)."""


class _Last:
    def update(self, outputs: Tensor) -> Tensor:
        return outputs[:, -1]


class _Mean:
    def __init__(self) -> None:
        self.total: Tensor | float = 0.0
        self.n_steps = 0

    def update(self, outputs: Tensor) -> Tensor:
        self.total = self.total + outputs.sum(dim=1, dtype=torch.float64)
        self.n_steps += outputs.shape[1]
        return (self.total / self.n_steps).to(outputs.dtype)


class _LastMean(_Mean):
    def update(self, outputs: Tensor) -> Tensor:
        return torch.cat([outputs[:, -1], super().update(outputs)], dim=1)


class _Max:
    def __init__(self) -> None:
        self.largest: Tensor | None = None

    def update(self, outputs: Tensor) -> Tensor:
        largest = outputs.amax(dim=1)
        self.largest = largest if self.largest is None else torch.maximum(self.largest, largest)
        return self.largest


class _Attention:
    """Softmax over all steps so far; numerator and denominator are rescaled when the maximum score increases.

    Milakov and Gimelshein, 2018, arXiv:1805.02867.
    """

    def __init__(self, pooling: AttentionPooling) -> None:
        self.hidden = pooling.hidden
        self.score = pooling.score
        self.largest: Tensor | None = None
        self.numerator: Tensor | float = 0.0
        self.denominator: Tensor | float = 0.0

    def update(self, outputs: Tensor) -> Tensor:
        scores = self.score(torch.tanh(self.hidden(outputs))).to(torch.float64)
        largest = scores.amax(dim=1)
        if self.largest is not None:
            largest = torch.maximum(largest, self.largest)
            faded = torch.exp(self.largest - largest)
            self.numerator, self.denominator = self.numerator * faded, self.denominator * faded
        weights = torch.exp(scores - largest[:, None])
        self.largest = largest
        self.numerator = self.numerator + (weights * outputs).sum(dim=1)
        self.denominator = self.denominator + weights.sum(dim=1)
        return (self.numerator / self.denominator).to(outputs.dtype)


_OWN: dict[type[nn.Module], type[RunningPooling]] = {
    LastPooling: _Last,
    LastMeanPooling: _LastMean,
    MaxPooling: _Max,
    MeanPooling: _Mean,
}


def running_pooling(pooling: nn.Module) -> RunningPooling:
    """Return the incremental form of a network's pooling, before the first step.

    Raises
    ------
    ValueError
        If the pooling is that of a plug-in without a method ``running``.
    """
    if isinstance(pooling, AttentionPooling):
        return _Attention(pooling)
    if type(pooling) in _OWN:
        return _OWN[type(pooling)]()
    make = getattr(pooling, "running", None)
    if not callable(make):
        raise ValueError(
            f"{type(pooling).__name__} needs all steps of a sequence and does not support streams: it has no method "
            "running() that returns an incremental form. Fit with another pooling."
        )
    running: RunningPooling = make()
    return running
