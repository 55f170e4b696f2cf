"""Loads of electrical machines: long, and of unlike scale."""

from __future__ import annotations

import numpy as np

from problems._problem import Array, Samples, problem, split

__all__ = ["appliance_days", "machine_cycles"]


@problem("classification", "accuracy")
def appliance_days(seed: int) -> Samples:
    """180 days of 720 steps: a fridge, a heater or a washing machine, of unlike power (lognormal, deviation 1.2)."""
    rng = np.random.default_rng(seed)
    y = np.arange(480) % 3
    days = np.stack([(_fridge, _heater, _washing_machine)[label](rng) for label in y])
    power = rng.lognormal(0, 1.2, size=(480, 1))
    X = power * np.maximum(days + rng.normal(scale=0.15, size=days.shape), 0)
    return split(X[:, :, None], y, 180, seed, stratify=True)


def _fridge(rng: np.random.Generator) -> Array:
    """Return a day of short cycles, all day long."""
    period, share = rng.integers(35, 66), rng.uniform(0.3, 0.5)
    return ((np.arange(720) + rng.integers(period)) % period < share * period).astype(float)


def _heater(rng: np.random.Generator) -> Array:
    """Return a day of two to four blocks, within which a thermostat switches."""
    day = np.zeros(720)
    for begin in rng.integers(0, 640, size=rng.integers(2, 5)):
        block = np.arange(rng.integers(50, 120))[: 720 - begin]
        day[begin : begin + len(block)] = (block % rng.integers(8, 16) < 6) * 1.0
    return day


def _washing_machine(rng: np.random.Generator) -> Array:
    """Return a day of one to three programmes: heating, ripples of the drum, spinning."""
    day = np.zeros(720)
    for begin in rng.integers(0, 600, size=rng.integers(1, 4)):
        heating, washing, spinning = rng.integers(15, 30), rng.integers(30, 60), rng.integers(6, 12)
        ripples = 0.3 * (np.arange(washing) % 6 < 3)
        programme = np.concatenate([np.ones(heating), ripples, np.full(spinning, 0.6)])
        day[begin : begin + len(programme)] = programme
    return day


@problem("classification", "accuracy")
def machine_cycles(seed: int) -> Samples:
    """160 records of 1,250 steps: cycles of period 60 to 240, 4 shapes in noise; scale from 1 to 1,000, any offset."""
    rng = np.random.default_rng(seed)
    n = 360
    y = np.arange(n)[:, None] % 4
    phase = (np.arange(1250) / rng.uniform(60, 240, size=(n, 1)) + rng.uniform(size=(n, 1))) % 1
    cycles = np.choose(y, [phase, 1 - phase, 1 - np.abs(2 * phase - 1), np.exp(-5 * phase)])
    scale = 10 ** rng.uniform(0, 3, size=(n, 1))
    X = scale * (cycles + rng.normal(scale=0.3, size=cycles.shape) + rng.uniform(0, 2, size=(n, 1)))
    return split(X[:, :, None], y[:, 0], 160, seed, stratify=True)
