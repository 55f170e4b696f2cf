"""Real data that comes with scikit-learn, matplotlib and Python."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

from problems._problem import Array, Samples, problem, split
from seqpipe.datasets import load_digits, load_stocks, manual_by_topic, place_names_by_letter

__all__ = ["digits", "hillsides", "place_names", "reading_direction", "share_swings"]


@problem("classification", "accuracy")
def digits(seed: int) -> Samples:
    """Handwritten digits, one row of pixels per time step, 10 classes (Alpaydin, Kaynak, 1998; scikit-learn)."""
    data = load_digits()
    return split(data.X, data.y, 1347, seed, stratify=True)


@problem("classification", "accuracy")
def place_names(seed: int) -> Samples:
    """Names of places by letter, one-hot; the class is the continent or ocean. Ragged, unbalanced (Python)."""
    data = place_names_by_letter()
    return split(data.X, data.y, 340, seed, stratify=True)


@problem("regression", "R²", seeded=False)
def share_swings(seed: int) -> Samples:
    """Monthly log returns of ten shares and indices: from 24 months, the log of the standard deviation in the next 12.

    Trained on windows whose targets end before 2010, tested on those that begin after; the seed is not used (matplotlib).
    """
    returns = np.log(load_stocks().frame).diff()
    early = returns.index < "2010"
    before, after = (_swing_windows(returns[rows].to_numpy()) for rows in (early, ~early))
    return Samples(*before, *after)


def _swing_windows(returns: Array, past: int = 24, ahead: int = 12) -> tuple[Array, Array]:
    """Cut the finite windows of ``past`` rows from each column, with the deviation of the rows after it."""
    windows = np.lib.stride_tricks.sliding_window_view(returns, past + ahead, axis=0).reshape(-1, past + ahead)
    windows = windows[np.isfinite(windows).all(axis=1)]
    return windows[:, :past, None], np.log(windows[:, past:].std(axis=1))


@problem("regression", "R²")
def hillsides(seed: int) -> Samples:
    """Profiles of 40 heights, from the first, in 100 m: the rise over the next 3 cells (Jacksboro fault; matplotlib).

    800 profiles from the north of the map in training, 600 from the south in testing.
    """
    path = Path(matplotlib.get_data_path()) / "sample_data" / "jacksboro_fault_dem.npz"
    heights = np.load(path)["elevation"] / 100
    rng = np.random.default_rng(seed)
    parts = []
    for rows, n in ((heights[:220], 800), (heights[220:], 600)):
        row, begin = rng.integers(0, len(rows), size=n), rng.integers(0, rows.shape[1] - 43, size=n)
        profile = rows[row[:, None], begin[:, None] + np.arange(43)]
        profile = profile - profile[:, :1]
        parts += [profile[:, :40, None], profile[:, 42] - profile[:, 39]]
    return Samples(*parts)


@problem("classification", "accuracy")
def reading_direction(seed: int) -> Samples:
    """30 to 80 letters of Python's manual, one-hot, read forwards or backwards: which. Other topics in testing (Python)."""
    rng = np.random.default_rng(seed)
    topics = [_letters(text) for text in rng.permutation(manual_by_topic().X)]
    topics = [topic for topic in topics if len(topic) > 400]
    parts: list[object] = []
    for chosen, n in ((topics[::2], 600), (topics[1::2], 600)):
        y = np.arange(n) % 2
        X = []
        for backwards in y:
            text, length = chosen[rng.integers(len(chosen))], rng.integers(30, 81)
            begin = rng.integers(len(text) - length)
            piece = text[begin : begin + length]
            X.append(np.eye(27)[piece[::-1] if backwards else piece])
        parts += [X, y]
    return Samples(*parts)


def _letters(text: str) -> Array:
    """Return the codes of the letters, 1 to 26, with 0 for each run of other characters."""
    words = "".join(c if "a" <= c <= "z" else " " for c in text.lower()).split()
    return np.array([0 if c == " " else ord(c) - ord("a") + 1 for c in " ".join(words)])
