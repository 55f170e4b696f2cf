"""Whole batches gathered by index, with sequences of similar length together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqpipe.sequences import Sequences
from seqpipe.training._samples import Samples

__all__ = ["Batch", "Batches"]

Item = TypeVar("Item")
Result = TypeVar("Result")
#: Inputs and targets.
Batch = tuple[dict[str, Any], Tensor]

#: Number of batches sorted by length together: enough to avoid most padding, few enough to stay random.
_POOL = 10


class Batches:
    """Iterates over samples in whole batches.

    For a GPU, a thread gathers the next batch into pinned memory while the GPU works on the current one.

    Parameters
    ----------
    samples : Samples
    batch_size : int
        Samples per batch; the last batch may be smaller.
    device : torch.device
        Device of the tensors.
    random : numpy Generator, optional
        Shuffles in each iteration; by default batches come in decreasing order of length, for prediction.

    Yields
    ------
    inputs : dict
        ``x`` (batch, n_timesteps, n_features); if the samples have them, ``lengths``, ``y_lengths`` and ``weight``
        (batch,); and as numpy arrays ``step_weight`` (batch, n_timesteps) and ``indices`` (batch,).
    y : tensor
        Targets; sequences are zero-padded to (batch, n_timesteps, n_outputs). Empty without targets.
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
        self._blocks = samples.X.blocks if isinstance(samples.X, Sequences) else None

    def __len__(self) -> int:
        return -(-len(self.samples) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        return self.after(0)

    def after(self, n_batches: int) -> Iterator[Batch]:
        """Iterate over all batches but the first ``n_batches``."""
        rest = self._order()[n_batches:]
        if self.device.type == "cuda":
            return map(self._to_device, _prefetched(self._pinned, rest))
        return map(self._to_device, map(self._gather, rest))

    def _order(self) -> list[NDArray[np.int64]]:
        n = len(self.samples)
        X = self.samples.X
        lengths = X.lengths if isinstance(X, Sequences) else None
        ragged = lengths is not None and bool((lengths != lengths[0]).any())
        if self.random is None:
            order = _longest_first(lengths) if ragged and lengths is not None else np.arange(n)
            return self._split(order)
        order = self.random.permutation(n)
        if not ragged or lengths is None or n <= self.batch_size:
            return self._split(order)
        pools = self._split(order, _POOL)
        batches = [b for pool in pools for b in self._split(pool[_longest_first(lengths[pool])])]
        return [batches[i] for i in self.random.permutation(len(batches))]

    def _split(self, order: NDArray[np.int64], factor: int = 1) -> list[NDArray[np.int64]]:
        step = self.batch_size * factor
        return [order[i : i + step] for i in range(0, len(order), step)]

    def _gather(self, indices: NDArray[np.int64]) -> Batch:
        x, lengths = self.samples.X.gather(indices) if self._blocks is None else (self._blocks[indices], None)
        inputs: dict[str, Any] = {"x": torch.from_numpy(x), "indices": indices}
        if lengths is not None:
            inputs["lengths"] = torch.from_numpy(lengths)
        if self.samples.weight is not None:
            inputs["weight"] = torch.from_numpy(self.samples.weight[indices])
        if self.samples.step_weight is not None:
            inputs["step_weight"] = self.samples.step_weight.gather(indices)[0][:, :, 0]
        y = self.samples.y
        if not isinstance(y, Sequences):
            return inputs, torch.empty(0) if y is None else torch.from_numpy(y[indices])
        padded, y_lengths = y.gather(indices)
        if y_lengths is not None:
            inputs["y_lengths"] = torch.from_numpy(y_lengths)
        return inputs, torch.from_numpy(padded)

    def _pinned(self, indices: NDArray[np.int64]) -> Batch:
        with torch.cuda.device(self.device):
            return _moved(self._gather(indices), Tensor.pin_memory)

    def _to_device(self, batch: Batch) -> Batch:
        return _moved(batch, lambda tensor: tensor.to(self.device, non_blocking=True))


def _longest_first(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the indices that sort rows by decreasing length, as the recurrence needs them without a copy."""
    return np.argsort(-lengths, kind="stable")


def _moved(batch: Batch, move: Callable[[Tensor], Tensor]) -> Batch:
    """Move the tensors used on the device; lengths are read on the host."""
    inputs, y = batch
    return {k: move(v) if k in ("x", "weight") else v for k, v in inputs.items()}, move(y)


def _prefetched(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Map items in a thread, which computes the next result while the caller uses the current one."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming: deque[Future[Result]] = deque()
        for item in items:
            coming.append(thread.submit(function, item))
            if len(coming) > 1:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
