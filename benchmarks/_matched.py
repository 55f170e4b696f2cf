"""The hidden size with which a model has about a given number of parameters."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

__all__ = ["matched_size"]


def matched_size(n_parameters: Callable[[int], int], budget: int, step: int = 1) -> int:
    """Return the multiple of ``step`` whose number of parameters is nearest to ``budget``.

    Parameters
    ----------
    n_parameters : callable (hidden_size) -> int
        The number of parameters, which grows with the size.
    budget : int
        The number wanted.
    step : int, default=1
        Sizes are multiples of it, such as the number of heads.
    """
    before = 0
    for size in count(step, step):
        found = n_parameters(size)
        if found >= budget:
            return size if found - budget < budget - before or size == step else size - step
        before = found
    raise AssertionError("the number of parameters grows with the size")
