"""Recipes in temporary folders, and unprepared data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(autouse=True)
def in_own_folder(own_folder: Path) -> None:
    """Write nothing into the checkout."""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a file into the test's folder."""

    def write(text: str, name: str = "recipe.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def sensors(n_ids: int, *, shortest: int = 20, longest: int = 300, seed: int = 0) -> pd.DataFrame:
    """A long table of three sensors whose rhythm determines the activity, with gaps in time."""
    rng = np.random.default_rng(seed)
    parts = []
    for i in range(n_ids):
        label, rhythm = [("idle", 0.0), ("walk", 0.4), ("run", 1.1)][i % 3]
        t = np.flatnonzero(rng.random(int(1.1 * longest)) > 0.03)[: rng.integers(shortest, longest + 1)]
        waves = np.sin(rhythm * t[:, None] + rng.uniform(0, 6) + np.arange(3)) + rng.normal(0, 0.2, (len(t), 3))
        part = pd.DataFrame(waves.round(4), columns=["ax", "ay", "az"])
        part.insert(0, "t", t)
        part.insert(0, "device", f"dev-{i:03d}")
        part["activity"] = label
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="session")
def make_sensors() -> Callable[..., pd.DataFrame]:
    return sensors
