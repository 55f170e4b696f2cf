"""Whole batches gathered by index, sequences of like length together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqpipe.sequences import Sequences
from seqpipe.training._samples import Samples

__all__ = ["Batches"]

#: Batches that are sorted by length together: enough to save most padding, few enough to stay random.
_POOL = 10


class Batches:
    """Iterates over samples in batches, without touching a sample alone.

    Parameters
    ----------
    samples : Samples
        All of them.
    batch_size : int
        Samples a batch; the last may be smaller.
    device : torch.device
        Where the tensors go.
    random : numpy Generator, optional
        Shuffles anew each time; with none the batches come by rising length, for prediction.

    Yields
    ------
    inputs : dict
        ``x`` (batch, n_timesteps, n_features), and where samples have them ``lengths``, ``y_lengths``, ``weight``
        (batch,) and ``indices`` (batch,), the last one a numpy array.
    y : tensor
        Targets, padded with zeros to (batch, n_timesteps, n_outputs) where they are sequences; empty where there are none.
    """

    def __init__(
        self,
        samples: Samples,
        batch_size: int,
        device: torch.device,
        random: np.random.Generator | None = None,
    ) -> None:
        self.samples = samples
        self.batch_size = batch_size
        self.device = device
        self.random = random

    def __len__(self) -> int:
        return -(-len(self.samples) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Tensor]]:
        for indices in self._order():
            yield self._gather(indices)

    def _order(self) -> list[NDArray[np.int64]]:
        n = len(self.samples)
        X = self.samples.X
        lengths = X.lengths if isinstance(X, Sequences) else None
        ragged = lengths is not None and bool((lengths != lengths[0]).any())
        if self.random is None:
            order = np.argsort(lengths, kind="stable") if ragged and lengths is not None else np.arange(n)
            return self._split(order)
        order = self.random.permutation(n)
        if not ragged or lengths is None or n <= self.batch_size:
            return self._split(order)
        pools = self._split(order, _POOL)
        batches = [b for pool in pools for b in self._split(pool[np.argsort(lengths[pool], kind="stable")])]
        return [batches[i] for i in self.random.permutation(len(batches))]

    def _split(self, order: NDArray[np.int64], factor: int = 1) -> list[NDArray[np.int64]]:
        step = self.batch_size * factor
        return [order[i : i + step] for i in range(0, len(order), step)]

    def _gather(self, indices: NDArray[np.int64]) -> tuple[dict[str, Any], Tensor]:
        x, lengths = self.samples.X.gather(indices)
        inputs: dict[str, Any] = {"x": self._tensor(x), "indices": indices}
        if lengths is not None:
            inputs["lengths"] = torch.from_numpy(lengths)
        if self.samples.weight is not None:
            inputs["weight"] = self._tensor(self.samples.weight[indices])
        y = self.samples.y
        if not isinstance(y, Sequences):
            return inputs, torch.empty(0) if y is None else self._tensor(y[indices])
        padded, y_lengths = y.gather(indices)
        if y_lengths is not None:
            inputs["y_lengths"] = torch.from_numpy(y_lengths)
        return inputs, self._tensor(padded)

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device, non_blocking=True)
