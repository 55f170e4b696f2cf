"""Few sequences: 30 to 80."""

from __future__ import annotations

import numpy as np

from problems._problem import Samples, problem, split

__all__ = ["eighty_leads", "few_long", "forty_pulses", "sixty_decays", "thirty_short"]


@problem("classification", "accuracy")
def few_long(seed: int) -> Samples:
    """50 sequences of 150 steps: a wave of period 16 or 20 with any phase, in noise of twice its power."""
    rng = np.random.default_rng(seed)
    y = np.arange(550) % 2
    t, phase = np.arange(150), rng.uniform(0, 2 * np.pi, size=(550, 1))
    wave = np.sin(2 * np.pi * t / np.where(y, 16, 20)[:, None] + phase)
    return split((wave + rng.normal(size=wave.shape))[:, :, None], y, 50, seed, stratify=True)


@problem("classification", "accuracy")
def thirty_short(seed: int) -> Samples:
    """30 sequences of 20 steps, 6 features: sines of period 10 in noise, each class with its lags between them."""
    rng = np.random.default_rng(seed)
    y = np.arange(530) % 3
    lags = rng.uniform(0, np.pi, size=(3, 6))
    angle = 2 * np.pi * np.arange(20)[:, None] / 10 + rng.uniform(0, 2 * np.pi, size=(530, 1, 1)) + lags[y][:, None]
    return split(np.sin(angle) + rng.normal(scale=0.8, size=angle.shape), y, 30, seed, stratify=True)


@problem("regression", "R²")
def sixty_decays(seed: int) -> Samples:
    """60 decays of unlike height in noise, 20 to 60 steps: the log of the time constant, 3 to 30. Ragged."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(np.log(3), np.log(30), size=560)
    X = []
    for log_constant in y:
        t = np.arange(rng.integers(20, 61))
        decay = rng.uniform(1, 3) * np.exp(-t / np.exp(log_constant))
        X.append((decay + rng.normal(scale=0.2, size=len(t)))[:, None])
    return split(X, y, 60, seed)


@problem("classification", "accuracy")
def eighty_leads(seed: int) -> Samples:
    """80 sequences of 100 steps, 8 features: smooth noise that one of 4 features shows 6 steps before the others."""
    rng = np.random.default_rng(seed)
    y = np.arange(580) % 4
    source = np.apply_along_axis(np.convolve, 1, rng.normal(size=(580, 110)), np.ones(5) / 5**0.5, "valid")
    X = np.repeat(source[:, :100, None], 8, axis=2)
    X[np.arange(580), :, y] = source[:, 6:106]
    return split(X + rng.normal(scale=0.7, size=X.shape), y, 80, seed, stratify=True)


@problem("regression", "R²")
def forty_pulses(seed: int) -> Samples:
    """40 sequences of 80 steps of noise with pulses of 4 steps, apart from each other: their number, 0 to 8."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 9, size=540)
    X = rng.normal(scale=0.6, size=(540, 80))
    for x, count in zip(X, y):
        for place in rng.choice(10, size=count, replace=False):
            begin = 8 * place + rng.integers(4)
            x[begin : begin + 4] += 2
    return split(X[:, :, None], y.astype(float), 40, seed)
