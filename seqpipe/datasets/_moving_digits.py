"""Videos of moving handwritten digits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets as sklearn_datasets
from sklearn.utils import check_random_state

from seqpipe.datasets._dataset import Dataset
from seqpipe.exceptions import InvalidSequencesError

__all__ = ["load_moving_digits", "make_moving_digits"]

_SIZE = 16
#: Movement per frame, in rows down and columns to the right.
_DIRECTIONS = {
    "east": (0, 1), "north": (-1, 0), "north-east": (-1, 1), "north-west": (-1, -1),
    "south": (1, 0), "south-east": (1, 1), "south-west": (1, -1), "west": (0, -1),
}  # fmt: skip


def make_moving_digits(
    n_samples: int, n_timesteps: int = 5, *, random_state: Any = None
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Generate videos of digits that move by one pixel per frame, and their directions of movement.

    A digit of 8 by 8 pixels starts anywhere on a canvas of 16 by 16, and wraps around at its borders: neither a single
    frame nor a single pixel determines the direction.

    Parameters
    ----------
    n_samples : int
        Number of videos; each of the 1,797 digits is used once before any is used again.
    n_timesteps : int, default=5
        Number of frames per video.
    random_state : int, RandomState or None, default=None
        Seed of digits, positions and directions.

    Returns
    -------
    X : array of float32, shape (n_samples, n_timesteps, 1, 16, 16)
        Frames of one channel, from 0 (white) to 1.
    y : array of str, shape (n_samples,)
        One of eight directions, "north", "north-east", …

    Raises
    ------
    InvalidSequencesError
        If n_samples is not positive, or there are fewer than two frames.

    Notes
    -----
    Source: the images of :func:`load_digits`, on a computed path, after the moving digits of N. Srivastava, E. Mansimov and
    R. Salakhutdinov (2015), arXiv:1502.04681. Licence: CC BY 4.0.
    """
    if n_samples < 1 or n_timesteps < 2:
        raise InvalidSequencesError(
            f"n_samples must be at least 1 and n_timesteps at least 2. Got {n_samples} and {n_timesteps} instead."
        )
    random = check_random_state(random_state)
    images = sklearn_datasets.load_digits().images.astype(np.float32) / 16
    shown = random.permutation(len(images))[np.arange(n_samples) % len(images)]
    names = np.array(list(_DIRECTIONS))[random.randint(len(_DIRECTIONS), size=n_samples)]
    starts = random.randint(_SIZE, size=(n_samples, 1, 2))
    moves = np.array([_DIRECTIONS[name] for name in names])[:, None] * np.arange(n_timesteps)[:, None]
    return _filmed(images[shown], (starts + moves) % _SIZE), names


def _filmed(images: NDArray[np.float32], corners: NDArray[np.int64]) -> NDArray[np.float32]:
    """Draw images (n, 8, 8) with their upper left corners, row and column, at the positions (n, n_timesteps, 2)."""
    n_samples, n_timesteps, _ = corners.shape
    films = np.zeros((n_samples, n_timesteps, 1, _SIZE, _SIZE), dtype=np.float32)
    places = (corners[..., None] + np.arange(images.shape[1])) % _SIZE
    sample, frame = np.ogrid[:n_samples, :n_timesteps]
    rows, columns = places[:, :, 0, :, None], places[:, :, 1, None, :]
    films[sample[..., None, None], frame[..., None, None], 0, rows, columns] = images[:, None]
    return films


def load_moving_digits() -> Dataset:
    """Return 1,797 videos of `make_moving_digits`, one for each of the digits, with 5 frames.

    ``X`` is float32 of shape (1797, 5, 1, 16, 16), ``y`` an array of strings, shape (1797,). Source and licence: see
    :func:`make_moving_digits`.

    Examples
    --------
    >>> from seqpipe.datasets import load_moving_digits
    >>> load_moving_digits().X.shape
    (1797, 5, 1, 16, 16)
    """
    X, y = make_moving_digits(1797, random_state=0)
    return Dataset(
        name="moving_digits",
        X=X,
        y=y,
        feature_names=tuple(f"row {i}, column {j}" for i in range(_SIZE) for j in range(_SIZE)),
        target_names=tuple(_DIRECTIONS),
        description="1,797 handwritten digits moving by one pixel per frame over 16 by 16 pixels: in which direction?",
        source="E. Alpaydin, C. Kaynak (1998), UCI Machine Learning Repository, doi:10.24432/C50P49; paths computed",
        licence="CC BY 4.0",
    )
