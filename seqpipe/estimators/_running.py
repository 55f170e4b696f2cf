"""Incremental pooling for streams, in memory that does not depend on the number of steps.

Sums are accumulated in float64, since streams may be long.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

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

    def __init__(self, pooling: Any) -> None:
        self.hidden: nn.Linear = pooling.hidden
        self.score: nn.Linear = pooling.score
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


def running_pooling(name: str, pooling: nn.Module) -> RunningPooling:
    """Return the incremental form of the network's pooling of the given name, before the first step."""
    if name == "attention":
        return _Attention(pooling)
    running: dict[str, type[RunningPooling]] = {"last": _Last, "last_mean": _LastMean, "max": _Max, "mean": _Mean}
    return running[name]()
