"""Shapes and patterns, most of them generators of the literature on time series classification."""

from __future__ import annotations

import numpy as np

from problems._problem import Array, Samples, problem, split

__all__ = [
    "breiman_waveform",
    "cylinder_bell_funnel",
    "gestures",
    "long_gestures",
    "many_classes",
    "ragged_motif",
    "rare_event",
    "shapelet_in_noise",
    "synthetic_control",
    "two_patterns",
    "which_first",
]


@problem("classification", "accuracy")
def many_classes(seed: int) -> Samples:
    """20 classes of 30 sequences: each with its own smooth curve, 30 steps, 3 features; shifted, stretched, in noise."""
    rng = np.random.default_rng(seed)
    y = np.arange(1600) % 20
    curves = np.apply_along_axis(np.convolve, 1, rng.normal(size=(20, 64, 3)), np.ones(5) / 5**0.5, "valid")
    begin, speed = rng.uniform(0, 24, size=(1600, 1)), rng.uniform(0.8, 1.2, size=(1600, 1))
    steps = (begin + speed * np.arange(30)).astype(int)
    X = curves[y[:, None], steps]
    return split(X + rng.normal(scale=0.8, size=X.shape), y, 600, seed, stratify=True)


@problem("classification", "accuracy")
def ragged_motif(seed: int) -> Samples:
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
    return split(X, y, 400, seed, stratify=True)


@problem("classification", "balanced accuracy")
def rare_event(seed: int) -> Samples:
    """800 sequences of 40 steps of noise, 2 features; in 6% of them both jump by 2.5 deviations at 3 steps."""
    rng = np.random.default_rng(seed)
    y = (np.arange(2800) % 50 < 3).astype(int)
    X = rng.normal(size=(2800, 40, 2))
    for i in np.flatnonzero(y):
        X[i, rng.choice(40, size=3, replace=False)] += 2.5
    return split(X, y, 800, seed, stratify=True)


@problem("classification", "accuracy")
def cylinder_bell_funnel(seed: int) -> Samples:
    """45 sequences of 128 steps: a plateau, a rise or a fall in noise, 3 classes (Saito, 1994)."""
    rng = np.random.default_rng(seed)
    y = np.arange(645) % 3
    begin, length = rng.integers(16, 33, size=(645, 1)), rng.integers(32, 97, size=(645, 1))
    rise = (np.arange(128) - begin) / length
    inside = (rise >= 0) & (rise <= 1)
    shape = np.choose(y[:, None], [np.ones_like(rise), rise, 1 - rise]) * inside
    X = (6 + rng.normal(size=(645, 1))) * shape + rng.normal(size=rise.shape)
    return split(X[:, :, None], y, 45, seed, stratify=True)


@problem("classification", "accuracy")
def two_patterns(seed: int) -> Samples:
    """400 sequences of 128 steps of noise with two steps up or down, of unlike length: 4 classes (Geurts, 2002)."""
    rng = np.random.default_rng(seed)
    y = np.arange(1400) % 4
    X = rng.normal(size=(1400, 128, 1))
    for x, label in zip(X[:, :, 0], y):
        lengths = rng.integers(10, 41, size=2)
        gaps = np.sort(rng.integers(0, 129 - lengths.sum(), size=2))
        begins = gaps[0], lengths[0] + gaps[1]
        for begin, length, up in zip(begins, lengths, (label // 2, label % 2)):
            step = np.where(np.arange(length) < length // 2, -5, 5)
            x[begin : begin + length] = step if up else -step
    return split(X, y, 400, seed, stratify=True)


@problem("classification", "accuracy")
def synthetic_control(seed: int) -> Samples:
    """180 control charts of 60 steps: level, cycles, trend or shift, up or down, 6 classes (Alcock, Manolopoulos, 1999)."""
    rng = np.random.default_rng(seed)
    y, t = np.arange(780)[:, None] % 6, np.arange(60)
    cycle = rng.uniform(10, 15, size=y.shape) * np.sin(2 * np.pi * t / rng.uniform(10, 15, size=y.shape))
    trend = rng.uniform(0.2, 0.5, size=y.shape) * t
    shift = rng.uniform(7.5, 20, size=y.shape) * (t >= rng.integers(20, 40, size=y.shape))
    X = 30 + 2 * rng.uniform(-3, 3, size=(780, 60)) + np.choose(y, [0 * t, cycle, trend, -trend, shift, -shift])
    return split(X[:, :, None], y[:, 0], 180, seed, stratify=True)


@problem("classification", "accuracy")
def breiman_waveform(seed: int) -> Samples:
    """300 sequences of 21 steps: random mixtures of two of three triangles in noise, 3 classes (Breiman et al., 1984)."""
    rng = np.random.default_rng(seed)
    y, i = np.arange(1800) % 3, np.arange(1, 22)
    triangles = np.stack([np.maximum(6 - np.abs(i - centre), 0) for centre in (11, 15, 7)])
    first, second = triangles[np.array([0, 0, 1])[y]], triangles[np.array([1, 2, 2])[y]]
    u = rng.uniform(size=(1800, 1))
    X = u * first + (1 - u) * second + rng.normal(size=first.shape)
    return split(X[:, :, None], y, 300, seed, stratify=True)


@problem("classification", "accuracy")
def shapelet_in_noise(seed: int) -> Samples:
    """100 sequences of 500 steps of noise with a triangle or a square of 29 steps somewhere (as Hills et al., 2014)."""
    rng = np.random.default_rng(seed)
    y = np.arange(500) % 2
    triangle, square = 3 * np.interp(np.arange(29), [0, 14, 28], [0, 1.6, 0]), np.full(29, 2.4)
    X = rng.normal(size=(500, 500, 1))
    for x, label, begin in zip(X[:, :, 0], y, rng.integers(0, 472, size=500)):
        x[begin : begin + 29] += square if label else triangle
    return split(X, y, 100, seed, stratify=True)


@problem("classification", "accuracy")
def which_first(seed: int) -> Samples:
    """200 sequences of 300 steps of noise with an upward and a downward half-sine of 20 steps: which comes first."""
    rng = np.random.default_rng(seed)
    y = np.arange(700) % 2
    bump = 2.5 * np.sin(np.pi * np.arange(20) / 20)
    X = rng.normal(size=(700, 300, 1))
    for x, label in zip(X[:, :, 0], y):
        first, second = np.sort(rng.integers(0, 260, size=2))
        x[first : first + 20] += bump if label else -bump
        x[second + 20 : second + 40] -= bump if label else -bump
    return split(X, y, 200, seed, stratify=True)


@problem("classification", "accuracy")
def gestures(seed: int) -> Samples:
    """160 curves in space, 60 to 240 steps: 8 gestures at unlike, changing speed, size and place, in noise. Ragged."""
    rng = np.random.default_rng(seed)
    y, curves = np.arange(560) % 8, _curves(rng, 8, 3)
    X = []
    for label in y:
        curve = curves[label](_warped(rng, rng.integers(60, 241)))
        X.append(rng.lognormal(0, 0.3) * curve + rng.normal(size=3) + rng.normal(size=curve.shape))
    return split(X, y, 160, seed, stratify=True)


@problem("classification", "accuracy")
def long_gestures(seed: int) -> Samples:
    """100 records of 400 to 1,200 steps, 2 features: one of 5 gestures in a third of it, else rest, with drift. Ragged."""
    rng = np.random.default_rng(seed)
    y, curves = np.arange(300) % 5, _curves(rng, 5, 2)
    X = []
    for label in y:
        length = rng.integers(400, 1201)
        x = rng.normal(scale=0.3, size=(length, 2)) + np.linspace(0, rng.normal(size=2), length)
        part = length // 3
        begin = rng.integers(length - part)
        x[begin : begin + part] += rng.lognormal(0, 0.3) * curves[label](_warped(rng, part))
        X.append(x)
    return split(X, y, 100, seed, stratify=True)


def _curves(rng: np.random.Generator, n: int, n_features: int) -> list[Curve]:
    return [Curve(rng.uniform(0, 2 * np.pi, size=(4, n_features))) for _ in range(n)]


class Curve:
    """A smooth closed curve: four harmonics per feature, of the same falling amplitudes, so that only phases differ."""

    def __init__(self, phases: Array) -> None:
        self.phases = phases

    def __call__(self, time: Array) -> Array:
        """Map times in [0, 1] to points (n, n_features)."""
        k = np.arange(1, 5)[:, None]
        points: Array = (np.sin(2 * np.pi * time[:, None, None] * k + self.phases) / k).sum(axis=1)
        return points


def _warped(rng: np.random.Generator, length: int) -> Array:
    """Return ``length`` times from 0 to 1 that increase at a smoothly changing speed."""
    speed = np.exp(np.interp(np.linspace(0, 1, length), np.linspace(0, 1, 6), rng.normal(scale=0.6, size=6)))
    passed: Array = np.cumsum(speed)
    return passed / passed[-1]
