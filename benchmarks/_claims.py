"""What every claim about the engines is measured with: the options of the command line, and rows one after the other."""

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

#: What every engine has to reach at every size, in training and inference, on one thread and two.
NOWHERE_SLOWER = 0.97


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes
    ----------
    problems : tuple of str
        Letters of sizes, of those that a claim speaks of.
    threads : tuple of int
        Numbers of torch's threads.
    rounds : int
        Alternations; the medians are over so many.
    engine : str
        What runs the cells that torch has too.
    tiny : bool
        Whether to shrink everything until it takes no time, for a test.
    """

    problems: tuple[str, ...] = tuple(PROBLEMS)
    threads: tuple[int, ...] = (1, 2)
    rounds: int = 7
    engine: str = "auto"
    tiny: bool = False

    def problem(self, letter: str) -> Problem:
        """Return the sizes of that letter."""
        return (TINY if self.tiny else PROBLEMS)[letter]

    def time(self, sides: Mapping[str, Callable[[], object]]) -> Timing:
        """Time the sides alternately."""
        return compare(sides, self.rounds, least=0.0 if self.tiny else 0.05)

    def peak(self, number: int) -> float:
        """Return the matrix peak on so many threads, in GFLOP/s, measured in this run."""
        return _peak(number, 32 if self.tiny else 2048)


@cache
def _peak(number: int, size: int) -> float:
    return matrix_peak(number, size)


#: Measures a family of rows.
Claim = Callable[[Options], Iterator[Row]]


def batch_of(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return inputs (batch, steps, inputs), and the loss's weights of the outputs, (batch, steps, hidden)."""
    torch.manual_seed(0)
    sizes = (problem.batch, problem.steps)
    return torch.randn(*sizes, problem.inputs), torch.randn(*sizes, problem.hidden)
