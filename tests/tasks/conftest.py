import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def long_table():
    """Six machines, two of them with rows that are not adjacent, each with a speed that rises or falls, and its label."""
    rng = np.random.default_rng(0)
    rows = []
    for machine, length in [("a", 5), ("b", 4), ("c", 6), ("d", 5), ("e", 4), ("f", 5)]:
        rising = machine in "ace"
        for hour in range(length):
            speed = (hour if rising else -hour) + rng.normal(scale=0.1)
            rows.append((machine, hour, speed, rng.normal(), "up" if rising else "down", float(length)))
    frame = pd.DataFrame(rows, columns=["machine", "hour", "speed", "heat", "label", "load"])
    return pd.concat([frame.iloc[:7], frame.iloc[9:], frame.iloc[7:9]], ignore_index=True)


@pytest.fixture
def monthly_table():
    """Ten years of two series with a season of twelve months, and a column known in advance."""
    months = pd.date_range("2010-01-01", periods=120, freq="MS")
    steps = np.arange(120.0)
    season = np.sin(2 * np.pi * steps / 12)
    return pd.DataFrame({"month": months, "gas": 10 + season, "coal": steps + 5 * season, "holidays": steps % 3})
