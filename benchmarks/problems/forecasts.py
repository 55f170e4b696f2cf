"""Series whose next steps are to be forecast.

Of a real series, each seed forecasts other rows: the newest ones, or those before them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from problems._problem import Array, Series, forecast

__all__ = [
    "ar2_cycles",
    "el_nino",
    "google_volume",
    "interest_inflation",
    "intermittent",
    "level_shifts",
    "multiplicative_season",
    "nile",
    "predator_prey",
    "random_walk",
    "regime_switches",
    "trend_season",
    "two_seasons",
]

#: Number of different origins in a real series.
_ORIGINS = 5


@forecast()
def trend_season(seed: int) -> Series:
    """15 years of months: a linear trend, a season of three harmonics and noise; the next 12."""
    rng = np.random.default_rng(seed)
    t = np.arange(192)
    x = 50 + rng.normal(scale=0.3) * t + 5 * _season(rng, t, 12) + rng.normal(scale=2, size=192)
    return _cut(x, 12, 12)


@forecast()
def random_walk(seed: int) -> Series:
    """300 steps of a random walk with drift 0.1 and deviation 1; the next 10."""
    rng = np.random.default_rng(seed)
    return _cut(100 + np.cumsum(0.1 + rng.normal(size=310)), 10)


@forecast()
def multiplicative_season(seed: int) -> Series:
    """12 years of months: growth of 3 to 12% per year, times a season, times lognormal noise; the next 12."""
    rng = np.random.default_rng(seed)
    t = np.arange(156)
    logs = rng.uniform(0.03, 0.12) * t / 12 + 0.3 * _season(rng, t, 12) + rng.normal(scale=0.05, size=156)
    return _cut(100 * np.exp(logs), 12, 12)


@forecast()
def intermittent(seed: int) -> Series:
    """400 days of demand, zero on two thirds of them, less often so at weekends (as Croston, 1972); the next 14."""
    rng = np.random.default_rng(seed)
    rate = np.where(np.arange(414) % 7 >= 5, 0.6, 0.22)
    return _cut((rng.uniform(size=414) < rate) * (1.0 + rng.poisson(3, size=414)), 14, 7)


@forecast()
def predator_prey(seed: int) -> Series:
    """300 steps of the logs of two populations in noise, cycles of 20 to 40 steps (Lotka, 1925); the next 20 of both."""
    rng = np.random.default_rng(seed)
    x, y, rows = 1.0, rng.uniform(0.4, 0.8), []
    for _ in range(320):
        for _ in range(20):  # steps of 0.01 time units
            shock = rng.normal(scale=0.004, size=2)
            x, y = x * np.exp(0.01 * (1.1 - 1.3 * y) + shock[0]), y * np.exp(0.01 * (1.2 * x - 1.0) + shock[1])
        rows.append([np.log(x), np.log(y)])
    return _cut(np.array(rows) + rng.normal(scale=0.03, size=(320, 2)), 20)


@forecast(needs="statsmodels")
def nile(seed: int) -> Series:
    """Yearly flow of the Nile at Aswan, 1871 to 1970; 8 years (Cobb, 1978; statsmodels)."""
    return _origin(_statsmodels("nile")["volume"].to_numpy(float), seed, 8)


@forecast()
def regime_switches(seed: int) -> Series:
    """500 steps that switch between two autoregressions, of unlike level and noise (Hamilton, 1989); the next 12."""
    rng = np.random.default_rng(seed)
    x, state, values = 0.0, 0, []
    for noise, change in zip(rng.normal(size=512), rng.uniform(size=512)):
        state = 1 - state if change < 0.03 else state
        level, weight, scale = ((0.0, 0.8, 0.5), (6.0, 0.3, 1.2))[state]
        x = level + weight * (x - level) + scale * noise
        values.append(x)
    return _cut(np.array(values), 12)


@forecast()
def ar2_cycles(seed: int) -> Series:
    """400 steps of an autoregression of order two with cycles of about 11 steps (Yule, 1927); the next 11."""
    rng = np.random.default_rng(seed)
    x = np.zeros(511)
    for t, noise in enumerate(rng.normal(size=511)):
        x[t] = 2 * 0.95 * np.cos(2 * np.pi / 11) * x[t - 1] - 0.95**2 * x[t - 2] + noise
    return _cut(20 + x[100:], 11)


@forecast()
def two_seasons(seed: int) -> Series:
    """8 weeks of hours with a day's and a week's season, and autocorrelated noise; the next 48."""
    rng = np.random.default_rng(seed)
    t = np.arange(8 * 168 + 48)
    noise = rng.normal(scale=0.3, size=len(t))
    for i in range(1, len(t)):
        noise[i] += 0.7 * noise[i - 1]
    weekend = np.where(t // 24 % 7 >= 5, 0.4, 1.0)
    return _cut(30 + weekend * 4 * _season(rng, t, 24) + 2 * weekend + noise, 48, 24)


@forecast()
def level_shifts(seed: int) -> Series:
    """240 steps with a season of 4, noise, and a jump of the level every 40 steps or so; the next 8."""
    rng = np.random.default_rng(seed)
    t = np.arange(248)
    jumps = np.cumsum((rng.uniform(size=248) < 1 / 40) * rng.normal(scale=8, size=248))
    return _cut(20 + jumps + 2 * _season(rng, t, 4) + rng.normal(size=248), 8, 4)


@forecast(needs="statsmodels")
def el_nino(seed: int) -> Series:
    """Monthly temperature of the sea off Peru, 1950 to 2010; 12 months (NOAA; statsmodels)."""
    months = _statsmodels("elnino").drop(columns="YEAR").to_numpy(float)
    return _origin(months.ravel(), seed, 12, 12)


@forecast(needs="statsmodels")
def interest_inflation(seed: int) -> Series:
    """Quarterly inflation and interest rate of West Germany, 1972 to 1998, in %; 4 quarters (Lütkepohl; statsmodels)."""
    return _origin(100 * _statsmodels("interest_inflation")[["Dp", "R"]].to_numpy(float), seed, 4, 4)


@forecast()
def google_volume(seed: int) -> Series:
    """Log of the number of Google's shares traded per day, 2004 to 2008, weeks of 5 days; 10 days (matplotlib)."""
    path = Path(matplotlib.get_data_path()) / "sample_data" / "goog.npz"
    return _origin(np.log(np.load(path)["price_data"]["volume"].astype(float)), seed, 10, 5)


def _season(rng: np.random.Generator, t: Array, period: int) -> Array:
    """Return a season of deviation about 1: up to three harmonics with random phases."""
    k = np.arange(1, min(3, period // 2) + 1)
    waves: Array = np.sin(2 * np.pi * t[:, None] * k / period + rng.uniform(0, 2 * np.pi, size=len(k))) / k
    return 1.3 * waves.sum(axis=1)


def _cut(x: Array, horizon: int, period: int = 1) -> Series:
    return Series(x[:-horizon], x[-horizon:], period)


def _origin(x: Array, seed: int, horizon: int, period: int = 1) -> Series:
    """Cut so that seed 0 forecasts the newest rows, seed 1 those before them, and so on."""
    return _cut(x[: len(x) - seed % _ORIGINS * horizon], horizon, period)


def _statsmodels(name: str) -> Any:
    """Return a data frame of statsmodels."""
    import statsmodels.datasets as datasets

    return getattr(datasets, name).load_pandas().data
