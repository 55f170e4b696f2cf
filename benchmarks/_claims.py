"""Shared parts of the claims about engines: options, batches, and the type of a claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import torch
from _measure import Timing, compare, matrix_peak
from _rows import Row
from cells import PROBLEMS, TINY, Problem
from torch import Tensor

__all__ = ["NOWHERE_SLOWER", "Claim", "Options", "batch_of"]

#: Minimum ratio at every size, in training and inference, on one and two threads.
NOWHERE_SLOWER = 0.97


@dataclass(frozen=True)
class Options:
    """Options of the measurements.

    Attributes
    ----------
    problems : tuple of str
        Letters of the sizes to measure.
    threads : tuple of int
        Numbers of torch threads.
    rounds : int
        Number of alternating rounds, over which medians are taken.
    engine : str
        Engine for the cells that torch also has.
    tiny : bool
        Whether to use tiny sizes, for tests.
    """

    problems: tuple[str, ...] = tuple(PROBLEMS)
    threads: tuple[int, ...] = (1, 2)
    rounds: int = 7
    engine: str = "auto"
    tiny: bool = False

    def problem(self, letter: str) -> Problem:
        """Return the sizes for a letter."""
        return (TINY if self.tiny else PROBLEMS)[letter]

    def time(self, sides: Mapping[str, Callable[[], object]]) -> Timing:
        """Time the sides in alternation."""
        return compare(sides, self.rounds, least=0.0 if self.tiny else 0.05)

    def peak(self, number: int) -> float:
        """Return the peak of matrix products with this number of threads, in GFLOP/s, measured in this run."""
        return _peak(number, 32 if self.tiny else 2048)


@cache
def _peak(number: int, size: int) -> float:
    return matrix_peak(number, size)


#: Function that measures a family of rows.
Claim = Callable[[Options], Iterator[Row]]


def batch_of(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return inputs (batch, steps, inputs), and the gradient of the loss by the outputs (batch, steps, hidden)."""
    torch.manual_seed(0)
    sizes = (problem.batch, problem.steps)
    return torch.randn(*sizes, problem.inputs), torch.randn(*sizes, problem.hidden)
