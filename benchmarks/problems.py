"""Eleven problems for the evaluation of the defaults: embedded data sets, and synthetic data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from seqpipe.datasets import load_digits, load_stocks, make_waves, place_names_by_letter

Array = NDArray[Any]


@dataclass(frozen=True)
class Problem:
    """Training and held-out sequences: arrays (n_samples, n_timesteps, n_features), or lists of them if ragged."""

    X_train: Any
    y_train: Array
    X_test: Any
    y_test: Array
    score: str  # "accuracy", "balanced accuracy" or "R²"

    @property
    def is_regression(self) -> bool:
        """Whether the targets are numbers."""
        return self.score == "R²"


def split(X: Any, y: Array, n_train: int, seed: int, score: str) -> Problem:
    """Split into ``n_train`` training samples and held-out samples, stratified by class if there are classes."""
    classes = None if score == "R²" else y
    parts = train_test_split(X, y, train_size=n_train, random_state=seed, stratify=classes)
    return Problem(parts[0], parts[2], parts[1], parts[3], score)


def digits(seed: int) -> Problem:
    """Handwritten digits, one row of pixels per time step, 10 classes."""
    data = load_digits()
    return split(data.X, data.y, 1347, seed, "accuracy")


def place_names(seed: int) -> Problem:
    """Names of places by letter, one-hot; the class is the continent or ocean. Ragged, unbalanced."""
    data = place_names_by_letter()
    return split(data.X, data.y, 340, seed, "accuracy")


def waves(seed: int) -> Problem:
    """t·sin(t)/3 + 2·sin(5t), t from 0 to 30 by 0.1: the next value after 20 steps from a random start."""
    X, y = make_waves(1000, 20, random_state=seed)
    return split(X, y[:, -1, 0], 500, seed, "R²")


def share_swings(seed: int) -> Problem:
    """Monthly log returns of ten shares and indices: from 24 months, the log of the standard deviation in the next 12.

    Trained on windows whose targets end before 2010, tested on those that begin after; the seed is not used.
    """
    returns = np.log(load_stocks().frame).diff()
    early = returns.index < "2010"
    before, after = (_swing_windows(returns[rows].to_numpy()) for rows in (early, ~early))
    return Problem(*before, *after, "R²")


def _swing_windows(returns: Array, past: int = 24, ahead: int = 12) -> tuple[Array, Array]:
    """Cut the finite windows of ``past`` rows from each column, with the deviation of the rows after it."""
    windows = np.lib.stride_tricks.sliding_window_view(returns, past + ahead, axis=0).reshape(-1, past + ahead)
    windows = windows[np.isfinite(windows).all(axis=1)]
    return windows[:, :past, None], np.log(windows[:, past:].std(axis=1))


def few_long(seed: int) -> Problem:
    """50 sequences of 150 steps: a wave of period 16 or 20 with any phase, in noise of twice its power."""
    rng = np.random.default_rng(seed)
    y = np.arange(550) % 2
    t, phase = np.arange(150), rng.uniform(0, 2 * np.pi, size=(550, 1))
    wave = np.sin(2 * np.pi * t / np.where(y, 16, 20)[:, None] + phase)
    return split((wave + rng.normal(size=wave.shape))[:, :, None], y, 50, seed, "accuracy")


def thirty_short(seed: int) -> Problem:
    """30 sequences of 20 steps, 6 features: sines of period 10 in noise, each class with its lags between them."""
    rng = np.random.default_rng(seed)
    y = np.arange(530) % 3
    lags = rng.uniform(0, np.pi, size=(3, 6))
    angle = 2 * np.pi * np.arange(20)[:, None] / 10 + rng.uniform(0, 2 * np.pi, size=(530, 1, 1)) + lags[y][:, None]
    return split(np.sin(angle) + rng.normal(scale=0.8, size=angle.shape), y, 30, seed, "accuracy")


def many_classes(seed: int) -> Problem:
    """20 classes of 30 sequences: each with its own smooth curve, 30 steps, 3 features; shifted, stretched, in noise."""
    rng = np.random.default_rng(seed)
    y = np.arange(1600) % 20
    curves = np.apply_along_axis(np.convolve, 1, rng.normal(size=(20, 64, 3)), np.ones(5) / 5**0.5, "valid")
    begin, speed = rng.uniform(0, 24, size=(1600, 1)), rng.uniform(0.8, 1.2, size=(1600, 1))
    steps = (begin + speed * np.arange(30)).astype(int)
    X = curves[y[:, None], steps]
    return split(X + rng.normal(scale=0.8, size=X.shape), y, 600, seed, "accuracy")


def ragged_motif(seed: int) -> Problem:
    """400 sequences of 5 to 300 steps, most short: noise in which 5 steps rise and fall, or fall and rise, somewhere."""
    rng = np.random.default_rng(seed)
    y = np.arange(1400) % 2
    lengths = np.clip(rng.lognormal(3.3, 1.0, size=len(y)), 5, 300).astype(int)
    motif = 3.0 * np.array([1.0, 1.0, 0.0, -1.0, -1.0])
    X = []
    for label, length in zip(y, lengths):
        x = rng.normal(size=(length, 1))
        begin = rng.integers(0, length - 4)
        x[begin : begin + 5, 0] += motif if label else -motif
        X.append(x)
    return split(X, y, 400, seed, "accuracy")


def adding(seed: int) -> Problem:
    """2000 sequences of 50 numbers in [0, 1], two of them marked, one a half: their sum (Hochreiter, Schmidhuber, 1997)."""
    rng = np.random.default_rng(seed)
    numbers, marks = rng.uniform(size=(2500, 50)), np.zeros((2500, 50))
    for half in (0, 25):
        np.put_along_axis(marks, half + rng.integers(0, 25, size=(2500, 1)), 1.0, axis=1)
    return split(np.stack([numbers, marks], axis=2), (numbers * marks).sum(axis=1), 2000, seed, "R²")


def noisy_series(seed: int) -> Problem:
    """20,000 windows of 20 steps of x ← 0.5·x' − 0.4·x'' + 1.5·tanh(x'·x'') + N(0, 0.5): the next value."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(scale=0.5, size=24_120)
    x = np.zeros(len(noise))
    for t in range(2, len(x)):
        x[t] = 0.5 * x[t - 1] - 0.4 * x[t - 2] + 1.5 * np.tanh(x[t - 1] * x[t - 2]) + noise[t]
    windows = np.lib.stride_tricks.sliding_window_view(x[100:], 21)
    X, y = windows[:, :20, None], windows[:, 20]
    return Problem(X[:20_000], y[:20_000], X[20_020:], y[20_020:], "R²")


def rare_event(seed: int) -> Problem:
    """800 sequences of 40 steps of noise, 2 features; in 6% of them both jump by 2.5 deviations at 3 steps."""
    rng = np.random.default_rng(seed)
    y = (np.arange(2800) % 50 < 3).astype(int)
    X = rng.normal(size=(2800, 40, 2))
    for i in np.flatnonzero(y):
        X[i, rng.choice(40, size=3, replace=False)] += 2.5
    return split(X, y, 800, seed, "balanced accuracy")


PROBLEMS: tuple[Callable[[int], Problem], ...] = (
    digits, place_names, waves, share_swings, few_long, thirty_short, many_classes, ragged_motif, adding, noisy_series,
    rare_event,
)  # fmt: skip
