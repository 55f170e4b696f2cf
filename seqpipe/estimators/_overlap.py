"""Sequences that are overlapping windows of longer series."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqpipe.sequences import Sequences

__all__ = ["overlap_reach"]

#: Number of samples for which others are looked for, and of time steps by which they are recognized.
_PROBES, _STEPS = 200, 16


def overlap_reach(X: Sequences) -> int:
    """Return the greatest distance, in samples, of two that share at least half of their time steps.

    It is 0 unless most samples are such windows of a longer series, in any order, and if samples repeat each other in other
    ways, such as sequences of a few symbols.
    """
    length = int(X.lengths[0]) if len(X) else 0
    if len(X) < 3 or length < 2 or (X.lengths != length).any():
        return 0
    samples = X.values.reshape(len(X), length, -1)
    n_steps = min(-(-length // 2), _STEPS)
    begins = {samples[i, :n_steps].tobytes(): i for i in range(len(samples))}
    if len(begins) < 0.9 * len(samples):
        return 0
    probes = np.unique(np.linspace(0, len(samples) - 1, _PROBES).astype(np.int64))
    found = [_distance(samples[i], int(i), begins, n_steps) for i in probes]
    return max(found) if np.count_nonzero(found) > len(found) / 2 else 0


def _distance(sample: NDArray[np.floating], index: int, begins: dict[bytes, int], n_steps: int) -> int:
    """Return how far the samples are that begin within the first half of this one; 0 if there are none."""
    n_shifts = len(sample) - -(-len(sample) // 2)
    others = (begins.get(sample[shift : shift + n_steps].tobytes()) for shift in range(1, n_shifts + 1))
    return max((abs(other - index) for other in others if other is not None), default=0)
