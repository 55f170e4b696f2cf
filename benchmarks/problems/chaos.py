"""Dynamical systems, chaotic ones above all."""

from __future__ import annotations

import numpy as np

from problems._problem import Array, Samples, problem, split
from seqpipe.datasets import make_waves

__all__ = ["chaos_or_noise", "lorenz_rate", "mackey_glass", "narma10", "noisy_series", "waves"]


@problem("regression", "R²")
def waves(seed: int) -> Samples:
    """t·sin(t)/3 + 2·sin(5t), t from 0 to 30 by 0.1: the next value after 20 steps from a random start."""
    X, y = make_waves(1000, 20, random_state=seed)
    return split(X, y[:, -1, 0], 500, seed)


@problem("regression", "R²")
def noisy_series(seed: int) -> Samples:
    """20,000 windows of 20 steps of x ← 0.5·x' − 0.4·x'' + 1.5·tanh(x'·x'') + N(0, 0.5): the next value."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(scale=0.5, size=24_120)
    x = np.zeros(len(noise))
    for t in range(2, len(x)):
        x[t] = 0.5 * x[t - 1] - 0.4 * x[t - 2] + 1.5 * np.tanh(x[t - 1] * x[t - 2]) + noise[t]
    windows = np.lib.stride_tricks.sliding_window_view(x[100:], 21)
    X, y = windows[:, :20, None], windows[:, 20]
    return Samples(X[:20_000], y[:20_000], X[20_020:], y[20_020:])


@problem("regression", "R²")
def mackey_glass(seed: int) -> Samples:
    """1000 windows of 40 values, 3 time units apart, delay 17, in faint noise: the value 84 later (Mackey, Glass, 1977)."""
    rng = np.random.default_rng(seed)
    delay, n = 170, 62_000  # steps of 0.1 time units
    x = np.full(n, 1.2)
    x[: delay + 1] += rng.uniform(-0.2, 0.2, size=delay + 1)
    for t in range(delay, n - 1):
        x[t + 1] = x[t] + 0.1 * (0.2 * x[t - delay] / (1 + x[t - delay] ** 10) - 0.1 * x[t])
    series = x[2000::30]
    seen = series + rng.normal(scale=0.02, size=len(series))
    windows = np.lib.stride_tricks.sliding_window_view(seen, 40)[: len(series) - 67, :, None]
    targets = series[67:]
    return Samples(windows[:1000], targets[:1000], windows[1070:], targets[1070:])


@problem("regression", "R²")
def lorenz_rate(seed: int) -> Samples:
    """200 records of 600 steps of one coordinate of Lorenz' system in noise: its parameter ρ, 26 to 40 (Lorenz, 1963)."""
    rng = np.random.default_rng(seed)
    n, n_timesteps = 500, 600
    rho = rng.uniform(26, 40, size=n)
    state, X = rng.normal([[1.0], [1.0], [25.0]], size=(3, n)), np.empty((n, n_timesteps))
    for t in range(-200, n_timesteps):
        if t >= 0:
            X[:, t] = state[0]
        state = _runge_kutta(state, rho, 0.03)
    return split((X + rng.normal(scale=2, size=X.shape))[:, :, None], rho, 200, seed)


def _runge_kutta(state: Array, rho: Array, dt: float) -> Array:
    """Return the states (3, n) of Lorenz' systems a step later."""

    def slope(s: Array) -> Array:
        x, y, z = s
        return np.stack([10 * (y - x), x * (rho - z) - y, x * y - 8 / 3 * z])

    a = slope(state)
    b = slope(state + dt / 2 * a)
    c = slope(state + dt / 2 * b)
    return state + dt / 6 * (a + 2 * b + 2 * c + slope(state + dt * c))


@problem("step regression", "R²")
def narma10(seed: int) -> Samples:
    """200 random inputs of 100 steps: the output of NARMA-10 at each step (Atiya, Parlos, 2000)."""
    rng = np.random.default_rng(seed)
    u = rng.uniform(0, 0.5, size=(440, 100))
    y = np.zeros((440, 100))
    for t in range(99):
        before = y[:, max(t - 9, 0) : t + 1].sum(axis=1)
        product = u[:, t - 9] * u[:, t] if t >= 9 else 0.0
        y[:, t + 1] = np.clip(0.3 * y[:, t] + 0.05 * y[:, t] * before + 1.5 * product + 0.1, 0, 2)
    bounded = y.max(axis=1) < 2  # the recursion diverges for few inputs
    return split(u[bounded, :, None], y[bounded], 200, seed)


@problem("classification", "accuracy")
def chaos_or_noise(seed: int) -> Samples:
    """200 sequences of 100 values of the logistic map (May, 1976), in order or shuffled (as Theiler et al., 1992)."""
    rng = np.random.default_rng(seed)
    y = np.arange(700) % 2
    r, X = rng.uniform(3.8, 4, size=700), np.empty((700, 100))
    x = rng.uniform(0.1, 0.9, size=700)
    for t in range(100):
        X[:, t] = x = r * x * (1 - x)
    X[y == 1] = rng.permuted(X[y == 1], axis=1)
    return split((X + rng.normal(scale=0.05, size=X.shape))[:, :, None], y, 200, seed, stratify=True)
