"""The adding problem, a synthetic memory task: two marked numbers among many distractors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from seqpipe.datasets._dataset import Dataset
from seqpipe.exceptions import InvalidSequencesError

__all__ = ["load_adding", "make_adding"]


def make_adding(n_samples: int, n_timesteps: int, *, random_state: Any = None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Generate sequences of random numbers, two of which are marked, one in each half, and the sum of these two.

    Parameters
    ----------
    n_samples : int
        Number of sequences.
    n_timesteps : int
        Length of each sequence; the first marked number lies in its first half.
    random_state : int, RandomState or None, default=None
        Seed of the numbers, uniform from 0 to 1, and of the marked positions.

    Returns
    -------
    X : array of float32, shape (n_samples, n_timesteps, 2)
        The number at each step, and 1 if it is marked, else 0.
    y : array of shape (n_samples,)
        The sum of the two marked numbers.

    Raises
    ------
    InvalidSequencesError
        If n_samples is not positive, or there are fewer than two time steps.

    Notes
    -----
    Source: computed; the adding problem of S. Hochreiter and J. Schmidhuber (1997), Long short-term memory,
    doi:10.1162/neco.1997.9.8.1735, section 5.4, with one mark in each half as in Q. V. Le, N. Jaitly and G. Hinton (2015),
    arXiv:1504.00941. Licence: none needed.
    """
    if n_samples < 1 or n_timesteps < 2:
        raise InvalidSequencesError(
            f"n_samples must be at least 1 and n_timesteps at least 2. Got {n_samples} and {n_timesteps} instead."
        )
    random = check_random_state(random_state)
    numbers = random.uniform(size=(n_samples, n_timesteps)).astype(np.float32)
    half = n_timesteps // 2
    marks = np.zeros_like(numbers)
    marks[np.arange(n_samples), random.randint(half, size=n_samples)] = 1
    marks[np.arange(n_samples), random.randint(half, n_timesteps, size=n_samples)] = 1
    return np.stack([numbers, marks], axis=2), (numbers * marks).sum(axis=1, dtype=np.float64)


def load_adding() -> Dataset:
    """Return 4,000 sequences of `make_adding` with 80 time steps.

    ``X`` is float32 of shape (4000, 80, 2), ``y`` of shape (4000,). Source and licence: see :func:`make_adding`.

    Examples
    --------
    >>> from seqpipe.datasets import load_adding
    >>> load_adding().X.shape
    (4000, 80, 2)
    """
    X, y = make_adding(4000, 80, random_state=0)
    return Dataset(
        name="adding",
        X=X,
        y=y,
        feature_names=("number", "mark"),
        description="80 random numbers of which two are marked, one in each half: what is their sum?",
        source="computed, after S. Hochreiter and J. Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735",
        licence="none needed",
    )
