"""A synthetic wave whose amplitude grows with time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from seqpipe.datasets._dataset import Dataset
from seqpipe.exceptions import InvalidSequencesError

__all__ = ["load_wave_windows", "load_waves", "make_waves"]

_END = 30.0
_STEP = 0.1


def make_waves(n_windows: int, window: int = 20, *, random_state: Any = None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Generate random windows of the wave t·sin(t)/3 + 2·sin(5t), and the same windows one step later.

    Parameters
    ----------
    n_windows : int
        Number of windows.
    window : int, default=20
        Length of each window, in time steps of 0.1; t ranges from 0 to 30.
    random_state : int, RandomState or None, default=None
        Seed of the start times of the windows, drawn uniformly.

    Returns
    -------
    X, y : arrays of shape (n_windows, window, 1)
        ``y[:, t]`` is the value that follows ``X[:, t]``.

    Raises
    ------
    InvalidSequencesError
        If n_windows is not positive, or a window and the following step exceed the 300 steps of the
        series.

    Notes
    -----
    Source: computed; the series of A. Géron, Hands-On Machine Learning with Scikit-Learn and TensorFlow
    (2017), chapter 14. Licence: none needed.
    """
    longest = round(_END / _STEP)
    if n_windows < 1 or not 1 <= window <= longest:
        raise InvalidSequencesError(
            f"n_windows must be at least 1 and window from 1 to {longest}. Got {n_windows} and {window} instead."
        )
    begins = check_random_state(random_state).uniform(0, _END - window * _STEP, size=(n_windows, 1))
    values = _wave(begins + _STEP * np.arange(window + 1))[:, :, None]
    return values[:, :-1], values[:, 1:]


def load_waves() -> Dataset:
    """Return the wave t·sin(t)/3 + 2·sin(5t) at t = 0, 0.1, …, 30.

    ``frame`` is float64 of shape (301, 1), with the column "value" and the index "t". Source and licence: see
    :func:`make_waves`.
    """
    t = pd.Index(np.linspace(0, _END, round(_END / _STEP) + 1), name="t")
    return Dataset(
        name="waves",
        frame=pd.DataFrame({"value": _wave(t.to_numpy())}, index=t),
        feature_names=("value",),
        description="The wave t·sin(t)/3 + 2·sin(5t) at t = 0, 0.1, …, 30.",
        source="computed, after A. Géron, Hands-On Machine Learning (2017), chapter 14",
        licence="none needed",
    )


def load_wave_windows() -> Dataset:
    """Return 2,000 random windows of 20 steps of the wave, and the same windows one step later.

    ``X`` and ``y`` are float64 of shape (2000, 20, 1). All are cut from one series of 300 steps, so that held-out windows
    overlap training windows: scores measure how well the wave is fitted, not extrapolation. Source and licence: see
    :func:`make_waves`.
    """
    X, y = make_waves(2000, random_state=0)
    return Dataset(
        name="wave_windows",
        X=X,
        y=y,
        feature_names=("value",),
        description="Windows of 20 steps of the wave t·sin(t)/3 + 2·sin(5t), and the value after each step.",
        source="computed, after A. Géron, Hands-On Machine Learning (2017), chapter 14",
        licence="none needed",
    )


def _wave(t: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(t * np.sin(t) / 3 + 2 * np.sin(5 * t))
