"""Time several sides in alternation in one process, so that disturbances affect all of them equally."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

__all__ = ["Ratio", "Timing", "compare", "machine", "matrix_peak", "threads"]


@dataclass(frozen=True)
class Ratio:
    """Ratio of the times of two sides: of medians, and the lowest and highest of single rounds."""

    reached: float
    low: float
    high: float


@dataclass(frozen=True)
class Timing:
    """Seconds per call of each side, one value per round, and the share of the cores used by other processes."""

    seconds: dict[str, list[float]]
    others: float

    def median(self, side: str) -> float:
        """Return the median of a side, in seconds."""
        return statistics.median(self.seconds[side])

    def ratio(self, ours: str, theirs: str) -> Ratio:
        """Return the factor by which ``ours`` is faster than ``theirs``."""
        rounds = [b / a for a, b in zip(self.seconds[ours], self.seconds[theirs], strict=True)]
        return Ratio(self.median(theirs) / self.median(ours), min(rounds), max(rounds))


def compare(sides: Mapping[str, Callable[[], object]], rounds: int = 7, least: float = 0.1) -> Timing:
    """Time all sides in alternation, in reverse order every other round, after a warm-up call of each.

    Parameters
    ----------
    sides : dict of callables
        Functions to time.
    rounds : int
        Number of samples per side.
    least : float
        Minimum seconds per sample: short calls are repeated, unless it is 0.
    """
    repeats = {name: _repeats(side, least) for name, side in sides.items()}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    busy, own, begin = _busy_seconds(), time.process_time(), time.perf_counter()
    for k in range(rounds):
        for name in list(sides)[:: -1 if k % 2 else 1]:
            seconds[name].append(_sample(sides[name], repeats[name]))
    elapsed = time.perf_counter() - begin
    others = (_busy_seconds() - busy) - (time.process_time() - own)
    return Timing(seconds, max(0.0, others) / elapsed / _cores())


def _repeats(side: Callable[[], object], least: float) -> int:
    side()
    return 1 if least == 0 else max(1, round(least / max(_sample(side, 1), 1e-9)))


def _sample(side: Callable[[], object], repeats: int) -> float:
    gc.collect()
    begin = time.perf_counter()
    for _ in range(repeats):
        side()
    return (time.perf_counter() - begin) / repeats


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "steal", 0.0))


def _cores() -> int:
    return os.cpu_count() or 1


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Run torch with this number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def matrix_peak(number: int, size: int = 2048) -> float:
    """Return the GFLOP/s of a large float32 matrix product with this number of threads, the best of five."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    with threads(number):
        return max(2e-9 * size**3 / _sample(lambda: a @ b, 1) for _ in range(5))


def machine() -> str:
    """Return one line that describes the machine and the versions."""
    vectors = torch.backends.cpu.get_cpu_capability()
    versions = f"torch {torch.__version__}, Python {platform.python_version()}, {platform.system()}"
    return f"{_cpu_model()}, {_cores()} cores, {vectors}; {versions}"


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
