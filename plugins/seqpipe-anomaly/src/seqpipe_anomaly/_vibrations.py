"""Generated data: vibrations with planted spikes, flat lines and changes of frequency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.datasets import Dataset

__all__ = ["load_vibrations", "make_vibrations"]

_KINDS = ("spike", "flat", "frequency")


def make_vibrations(
    n_samples: int = 120,
    *,
    anomalous: float = 0.25,
    noise: float = 0.05,
    random_state: int | None = None,
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.bool_]]]:
    """Return series of two sensors of a vibrating machine, and which of their steps are anomalous.

    Parameters
    ----------
    n_samples : int, default=120
        Number of series, each of 100 to 160 steps.
    anomalous : float, default=0.25
        Fraction of the series in which two anomalies are planted: a spike of one step, a flat line of 6 to 12 steps, or
        12 to 20 steps at twice the frequency.
    noise : float, default=0.05
        Standard deviation of the noise of each sensor.
    random_state : int, optional
        Seed.

    Returns
    -------
    X : list of arrays of shape (n_timesteps, 2)
        The series.
    y : list of bool arrays of shape (n_timesteps,)
        True at anomalous steps.
    """
    rng = np.random.default_rng(random_state)
    planted = rng.permutation(n_samples) < round(anomalous * n_samples)
    made = [_series(2 if each else 0, noise, rng) for each in planted]
    return [x for x, _ in made], [y for _, y in made]


def load_vibrations() -> Dataset:
    """Return 120 series as a data set."""
    X, y = make_vibrations(random_state=0)
    return Dataset(
        "vibrations",
        _ragged(X),
        _ragged(y),
        feature_names=("left", "right"),
        description="Two sensors of a vibrating machine, with planted spikes, flat lines and changes of frequency.",
        source="generated",
    )


def _series(n_anomalies: int, noise: float, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    n_timesteps = int(rng.integers(100, 161))
    frequency, y = np.full(n_timesteps, rng.uniform(0.3, 0.5)), np.zeros(n_timesteps, dtype=bool)
    flat, spikes = np.zeros(n_timesteps, dtype=bool), np.zeros((n_timesteps, 2))
    for start in rng.choice(np.arange(20, n_timesteps - 30, 25), size=n_anomalies, replace=False):
        kind = rng.choice(_KINDS)
        length = {"spike": 1, "flat": rng.integers(6, 13), "frequency": rng.integers(12, 21)}[kind]
        steps = slice(start, start + length)
        y[steps] = True
        if kind == "spike":
            spikes[start] = rng.choice([-1, 1], size=2) * rng.uniform(0.6, 1.2)
        elif kind == "flat":
            flat[steps] = True
        else:
            frequency[steps] *= 2
    phase = rng.uniform(0, 2 * np.pi) + frequency.cumsum()
    x = np.stack([np.sin(phase), 0.7 * np.sin(phase + 0.8) + 0.3 * np.sin(2 * phase)], axis=1)
    x += spikes + noise * rng.normal(size=x.shape)
    for t in np.flatnonzero(flat):
        x[t] = x[t - 1]
    return x, y


def _ragged(arrays: Sequence[NDArray[Any]]) -> NDArray[np.object_]:
    ragged = np.empty(len(arrays), dtype=object)
    ragged[:] = arrays
    return ragged
