"""A target at each time step."""

from __future__ import annotations

import numpy as np

from problems._problem import Samples, problem, split

__all__ = ["breathing", "hidden_states", "leaky_tank"]


@problem("step classification", "accuracy")
def hidden_states(seed: int) -> Samples:
    """150 observations of a hidden Markov chain, 50 to 150 steps, 2 features: which of 3 states. Ragged (Rabiner, 1989)."""
    rng = np.random.default_rng(seed)
    centres = np.array([[0.0, 0.0], [1.5, 0.0], [0.0, 1.5]])
    X, y = [], []
    for length in rng.integers(50, 151, size=450):
        stay, other = rng.uniform(size=length) < 0.92, rng.integers(1, 3, size=length)
        states = (rng.integers(3) + np.cumsum(np.where(stay, 0, other))) % 3
        X.append(centres[states] + rng.normal(size=(length, 2)))
        y.append(states)
    return split(X, y, 150, seed)


@problem("step regression", "R²")
def leaky_tank(seed: int) -> Samples:
    """120 inflows of 80 steps: the level of a tank whose outflow is the root of its level, measured in noise."""
    rng = np.random.default_rng(seed)
    inflow = np.repeat(rng.gamma(1.0, 0.5, size=(420, 16)), 5, axis=1)
    level, levels = np.zeros(420), np.empty((420, 80))
    for t in range(80):
        level = np.maximum(level + inflow[:, t] - 0.35 * np.sqrt(level), 0)
        levels[:, t] = level
    X = inflow + rng.normal(scale=0.1, size=inflow.shape)
    return split(X[:, :, None], levels + rng.normal(scale=0.2, size=levels.shape), 120, seed)


@problem("step classification", "balanced accuracy")
def breathing(seed: int) -> Samples:
    """60 records of 600 steps of breaths of unlike, drifting rate and depth, in noise: in, out or at rest."""
    rng = np.random.default_rng(seed)
    n, n_timesteps = 160, 600
    drift = np.cumsum(rng.normal(scale=0.01, size=(n, n_timesteps)), axis=1)
    phase = (rng.uniform(size=(n, 1)) + np.cumsum(np.exp(drift) / rng.uniform(30, 80, size=(n, 1)), axis=1)) % 1
    y = np.searchsorted([0.35, 0.75], phase.ravel(), side="right").reshape(n, n_timesteps)
    chest = np.interp(phase, [0, 0.35, 0.75, 1], [0, 1, 0, 0]) * rng.lognormal(0, 0.4, size=(n, 1))
    return split((chest + rng.normal(scale=0.15, size=chest.shape))[:, :, None], y, 60, seed)
