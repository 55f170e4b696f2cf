"""Generated data: tones of random length in a noisy recording, whose order is to be recovered."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqpipe.datasets import Dataset

__all__ = ["load_tones", "make_tones"]

#: The frequency of each label, in cycles per step.
_TONES = {"a": 0.05, "b": 0.1, "c": 0.2, "d": 0.4}
#: The frequency at the centre of each band, a feature of X.
_BANDS = np.array([0.04, 0.07, 0.1, 0.14, 0.2, 0.28, 0.4])


def make_tones(
    n_samples: int = 600, *, noise: float = 0.3, random_state: int | None = None
) -> tuple[list[NDArray[np.float64]], list[str]]:
    """Return recordings of 2 to 5 tones a, b, c, d, each 3 to 7 steps long, after gaps of 1 to 4 steps.

    Parameters
    ----------
    n_samples : int, default=600
        Number of recordings.
    noise : float, default=0.3
        Standard deviation of the noise in each band.
    random_state : int, optional
        Seed.

    Returns
    -------
    X : list of arrays of shape (n_timesteps, 7)
        The loudness of seven bands of frequency per step, and noise.
    y : list of str
        The tones in their order, such as "abba".
    """
    rng = np.random.default_rng(random_state)
    y = ["".join(rng.choice(list(_TONES), size=rng.integers(2, 6))) for _ in range(n_samples)]
    return [_recording(tones, noise, rng) for tones in y], y


def load_tones() -> Dataset:
    """Return 600 recordings as a data set."""
    X, y = make_tones(random_state=0)
    recordings = np.empty(len(X), dtype=object)
    recordings[:] = X
    return Dataset(
        "tones",
        recordings,
        np.array(y, dtype=object),
        feature_names=tuple(f"band_{band:g}" for band in _BANDS),
        description="Noisy recordings of 2 to 5 tones of random length; which tones, in which order?",
        source="generated",
    )


def _recording(tones: str, noise: float, rng: np.random.Generator) -> NDArray[np.float64]:
    parts = [_silence(rng)]
    for tone in tones:
        loudness = np.exp(-((np.log(_BANDS / _TONES[tone]) / 0.35) ** 2)) * rng.uniform(0.6, 1.2)
        parts += [np.tile(loudness, (rng.integers(3, 8), 1)), _silence(rng)]
    clean = np.concatenate(parts)
    return clean + noise * rng.normal(size=clean.shape)


def _silence(rng: np.random.Generator) -> NDArray[np.float64]:
    return np.zeros((rng.integers(1, 5), len(_BANDS)))
