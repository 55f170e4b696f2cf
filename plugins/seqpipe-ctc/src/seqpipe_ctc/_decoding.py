"""Label sequences from the outputs of a network: the best path, and prefix beam search.

The best path is that of Graves et al. (2006, doi:10.1145/1143844.1143891), the search that of Hannun et al. (2014,
arXiv:1408.2873) without a language model.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from seqpipe_ctc._loss import BLANK

__all__ = ["best_path", "collapsed", "prefix_beam_search"]

#: Codes of labels, from 1.
Prefix = tuple[int, ...]
#: log p_b and log p_nb: the probabilities of a prefix with paths that end in a blank, and in its last label.
_NEVER = (-np.inf, -np.inf)


def collapsed(path: NDArray[np.integer]) -> Prefix:
    """Return the codes of a path, one per step: repeated ones are joined, then blanks are removed."""
    kept = np.append(True, path[1:] != path[:-1]) & (path != BLANK)
    return tuple(path[kept].tolist())


def best_path(log_y: NDArray[np.floating]) -> Prefix:
    """Return the codes of the most probable path, for log-probabilities (n_timesteps, n_outputs)."""
    return collapsed(log_y.argmax(axis=1))


def prefix_beam_search(log_y: NDArray[np.floating], beam_size: int) -> Prefix:
    """Return the codes of the most probable label sequence found with ``beam_size`` prefixes per step.

    Parameters
    ----------
    log_y : array of shape (n_timesteps, n_outputs)
        Log-probabilities; the blank comes first.
    beam_size : int
        Number of prefixes that are kept after each step.
    """
    beam: dict[Prefix, tuple[float, float]] = {(): (0.0, -np.inf)}
    for log_y_t in log_y:
        extended = _extended(beam, log_y_t.tolist())
        best = sorted(extended, key=lambda prefix: np.logaddexp(*extended[prefix]), reverse=True)
        beam = {prefix: extended[prefix] for prefix in best[:beam_size]}
    return next(iter(beam))


def _extended(beam: dict[Prefix, tuple[float, float]], log_y_t: list[float]) -> dict[Prefix, tuple[float, float]]:
    """Return the prefixes after one more step, with their log p_b and log p_nb."""
    found: dict[Prefix, tuple[float, float]] = defaultdict(lambda: _NEVER)
    for prefix, (p_b, p_nb) in beam.items():
        total = np.logaddexp(p_b, p_nb)
        found[prefix] = (np.logaddexp(found[prefix][0], total + log_y_t[BLANK]), found[prefix][1])
        if prefix:
            _add(found, prefix, p_nb + log_y_t[prefix[-1]])
        for code in range(1, len(log_y_t)):
            repeats = bool(prefix) and code == prefix[-1]  # without a blank between them, equal labels are one
            _add(found, (*prefix, code), (p_b if repeats else total) + log_y_t[code])
    return found


def _add(found: dict[Prefix, tuple[float, float]], prefix: Prefix, p_nb: float) -> None:
    """Add the probability of paths that end in the last label of a prefix."""
    found[prefix] = (found[prefix][0], np.logaddexp(found[prefix][1], p_nb))
