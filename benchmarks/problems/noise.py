"""Targets that are noise, in part or whole: the best R² of nothing to learn is 0."""

from __future__ import annotations

import numpy as np

from problems._problem import Samples, problem, split

__all__ = ["coin_flips", "faint_slope", "faint_spread", "mislabelled", "noise_1500", "noise_300", "noise_long"]


@problem("regression", "R²")
def noise_300(seed: int) -> Samples:
    """300 sequences of 30 steps of noise, 3 features; the target is noise, independent of them."""
    rng = np.random.default_rng(seed)
    return split(rng.normal(size=(1300, 30, 3)), rng.normal(size=1300), 300, seed)


@problem("regression", "R²")
def noise_1500(seed: int) -> Samples:
    """1500 random walks of 40 steps; the target is skewed noise, independent of them."""
    rng = np.random.default_rng(seed)
    return split(rng.normal(size=(2500, 40, 1)).cumsum(axis=1), rng.gamma(2, size=2500), 1500, seed)


@problem("regression", "R²")
def noise_long(seed: int) -> Samples:
    """400 waves of 250 steps in noise; the target is noise, independent of them."""
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(250) / rng.uniform(2, 20, size=(1000, 1)) + rng.uniform(0, 6, size=(1000, 1)))
    return split((wave + rng.normal(size=wave.shape))[:, :, None], rng.normal(size=1000), 400, seed)


@problem("classification", "accuracy")
def coin_flips(seed: int) -> Samples:
    """300 sequences of 25 steps of noise, 4 features; the class is a coin flip."""
    rng = np.random.default_rng(seed)
    return split(rng.normal(size=(1300, 25, 4)), np.arange(1300) % 2, 300, seed, stratify=True)


@problem("regression", "R²")
def faint_slope(seed: int) -> Samples:
    """500 lines of 60 steps in noise: the slope, in noise that leaves R² 0.3 at most."""
    rng = np.random.default_rng(seed)
    slope = rng.normal(size=1500)
    X = slope[:, None] * np.linspace(-1, 1, 60) + rng.normal(size=(1500, 60))
    return split(X[:, :, None], slope + rng.normal(scale=(0.7 / 0.3) ** 0.5, size=1500), 500, seed)


@problem("regression", "R²")
def faint_spread(seed: int) -> Samples:
    """500 sequences of 300 steps of noise, 2 features: the log of the first's deviation, in noise; R² 0.4 at most."""
    rng = np.random.default_rng(seed)
    log_spread = rng.normal(scale=0.3, size=1200)
    X = rng.standard_t(5, size=(1200, 300, 2))
    X[:, :, 0] *= np.exp(log_spread)[:, None]
    return split(X, log_spread + rng.normal(scale=0.3 * 1.5**0.5, size=1200), 500, seed)


@problem("classification", "accuracy")
def mislabelled(seed: int) -> Samples:
    """400 sequences of 50 steps: a slow or a fast wave in noise; a quarter of the labels are wrong, in testing too."""
    rng = np.random.default_rng(seed)
    y = np.arange(1400) % 2
    t, phase = np.arange(50), rng.uniform(0, 2 * np.pi, size=(1400, 1))
    X = np.sin(2 * np.pi * t / np.where(y, 12, 16)[:, None] + phase) + rng.normal(scale=0.7, size=(1400, 50))
    return split(X[:, :, None], np.where(rng.uniform(size=1400) < 0.25, 1 - y, y), 400, seed, stratify=True)
