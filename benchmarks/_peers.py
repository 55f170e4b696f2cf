"""Shared parts of the comparisons of whole fits: settings, data, and the check that both sides learn the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from _measure import compare, threads
from _rows import Row, timed_row
from cells import log_normal_lengths
from numpy.typing import NDArray

__all__ = [
    "BATCH",
    "EPOCHS",
    "OURS",
    "Fits",
    "LR",
    "WEIGHT_DECAY",
    "Options",
    "fit_row",
    "ragged",
    "version_of",
    "windows",
]

BATCH, EPOCHS, LR, WEIGHT_DECAY = 64, 3, 0.002, 0.01
#: Parameters of seqpipe for the same training as the peers: last output, AdamW with a constant rate, nothing else.
OURS: dict[str, Any] = {
    "hidden_size": 32, "pooling": "last", "lr": LR, "lr_schedule": None, "weight_decay": WEIGHT_DECAY,
    "gradient_clip_norm": None, "scale_inputs": False, "early_stopping": False,
    "random_state": 0, "device": "cpu",
}  # fmt: skip
#: Maximum difference of scores.
_TOLERANCE = 0.02
_THREADS = 2


@dataclass(frozen=True)
class Options:
    """Number of rounds, and whether to use tiny data, for tests."""

    rounds: int = 7
    tiny: bool = False


@dataclass(frozen=True)
class Fits:
    """Functions that fit the same model in two ways, and the held-out scores of their results."""

    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    score_ours: Callable[[Any], float]
    score_theirs: Callable[[Any], float]


def version_of(distribution: str) -> str | None:
    """Return the installed version, or None."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def fit_row(
    peer: str, prepare: Callable[[bool], Fits], options: Options, *, claim: str, where: str, required: float
) -> Iterator[Row]:
    """Time both fits; yield a row without a ratio if the peer is missing or the scores differ.

    Parameters
    ----------
    peer : str
        Name of the peer's distribution.
    prepare : callable (tiny) -> Fits
        Returns the fits; called only if the peer is installed.
    options : Options
        Options of the command line.
    claim, where, required
        Fields of the row.
    """
    keys: dict[str, Any] = {"family": "peers", "claim": claim, "where": where, "required": required}
    found = version_of(peer)
    if found is None:
        yield Row(**keys, note=f"not measured: {peer} is not installed (benchmarks/requirements.txt names it)")
        return
    fits = prepare(options.tiny)
    with threads(_THREADS):
        scores = fits.score_ours(fits.ours()), fits.score_theirs(fits.theirs())
        learned = f"{peer} {found}; score {scores[0]:.3f} against {scores[1]:.3f}"
        if not options.tiny and abs(scores[0] - scores[1]) > _TOLERANCE:
            yield Row(**keys, note=f"not measured: the sides do not learn the same; {learned}")
            return
        timing = compare({"ours": fits.ours, "theirs": fits.theirs}, options.rounds, least=0.0)
    yield timed_row(timing, "ours", "theirs", **keys, note=learned)


Array = NDArray[Any]


def windows(tiny: bool) -> tuple[Array, Array, Array, Array]:
    """Return windows of noise (20000, 20, 1), labelled by the sign of their sum, and 2000 held-out windows."""
    n, held_out = (80, 40) if tiny else (20_000, 2000)
    noise = np.random.default_rng(0).normal(size=n + held_out + 19).astype(np.float32)
    X = np.lib.stride_tricks.sliding_window_view(noise, 20)[:, :, None].copy()
    y = (X[:, :, 0].sum(axis=1) > 0).astype(np.int64)
    return X[:n], y[:n], X[n:], y[n:]


def ragged(tiny: bool) -> tuple[list[Array], Array, list[Array], Array]:
    """Return 2000 sequences of unequal length, noise labelled by its shift, and 500 held-out sequences."""
    n, held_out, longest = (70, 30, 9) if tiny else (2000, 500, 500)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=n + held_out)
    lengths = log_normal_lengths(n + held_out, longest)
    X = [rng.normal(label - 0.5, 1, size=(length, 16)).astype(np.float32) for label, length in zip(y, lengths)]
    return X[:n], y[:n], X[n:], y[n:]
