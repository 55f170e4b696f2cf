"""Small data for tasks that are given none."""

from __future__ import annotations

import numpy as np
import pandas as pd

from seqpipe.tables import Roles
from seqpipe.tasks import Task

__all__ = ["default_table"]


def default_table(task: Task) -> tuple[pd.DataFrame, Roles] | None:
    """Return a table for a task, and the roles of its columns; None if it is for texts, or says nothing of its targets."""
    if task.target_type == "series":
        months = pd.date_range("2018-01-01", periods=60, freq="MS")
        frame = pd.DataFrame({"month": months, "demand": np.sin(np.arange(60) * np.pi / 6) + np.arange(60) / 30})
        return frame, Roles(time="month", target=("demand",))
    target = {"labels": "label", "numbers": "load", None: None if task.needs_target else "label"}.get(task.target_type)
    if task.reads_texts or target is None:
        return None
    return _machines(), Roles(id="machine", features=("speed", "heat"), target=(target,))


def _machines() -> pd.DataFrame:
    """Return a long table of 30 machines with two features, a label and a number each."""
    random = np.random.default_rng(0)
    machines = np.repeat(np.arange(30), random.integers(3, 7, size=30))
    fast = machines % 2 == 1
    return pd.DataFrame(
        {
            "machine": machines,
            "speed": random.normal(size=len(machines)) + fast,
            "heat": random.normal(size=len(machines)),
            "label": np.where(fast, "fast", "slow"),
            "load": machines / 10 + fast,
        }
    )
