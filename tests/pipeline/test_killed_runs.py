"""The digits recipe, killed at random moments until it is through."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seqpipe.pipeline import RunResult, run_recipe

ALL = os.environ.get("SEQPIPE_FAULTS", "0") not in ("", "0")
KILLS = 100 if ALL else 2
RECIPE: dict[str, Any] = {
    "data": {"dataset": "digits"},
    "task": {"classify": {"max_epochs": 4 if ALL else 1, "hidden_size": 8}},
    "search": {"grid": {"cell": ["gru", "rnn"], "dropout": [0.0, 0.2]}, "cv": 3 if ALL else 2},
}


def in_child(run: Callable[[], object], seconds: float | None = None) -> int:
    """Return the exit code of a forked process, which is killed after some seconds."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            torch.set_num_threads(1)  # threads do not survive a fork
            run()
            code = 0
        finally:
            os._exit(code)
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if deadline is not None and time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            deadline = None
        time.sleep(0.005)


def written(result: RunResult) -> dict[str, Any]:
    table = result.table[["rank", "name", "mean", "std", "n_parameters"]].to_dict("records")
    return {"table": table, "best": result.best_params, "metrics": result.metrics, "baselines": result.baselines}


def run(path: Path, tracking: dict[str, Any]) -> None:
    path.write_text(json.dumps(written(run_recipe({**RECIPE, "tracking": tracking}))))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_table_is_that_of_a_run_that_was_not_killed(own_folder: Path) -> None:
    tracking = {"enabled": False}
    start = time.monotonic()
    assert in_child(lambda: run(own_folder / "expected.json", tracking)) == 0
    whole = time.monotonic() - start
    shuffled, killed, through = random.Random(0), 0, 0
    while killed < KILLS:
        code = in_child(lambda: run(own_folder / "found.json", tracking), shuffled.uniform(0.05, 0.4) * whole)
        assert code in (0, -signal.SIGKILL)
        killed += code != 0
        if code == 0:
            through += 1
            assert (own_folder / "found.json").read_text() == (own_folder / "expected.json").read_text()
            (own_folder / "found.json").unlink()
    assert in_child(lambda: run(own_folder / "found.json", tracking)) == 0
    assert (own_folder / "found.json").read_text() == (own_folder / "expected.json").read_text()
    assert not (own_folder / ".seqpipe").exists()
    print(f"{killed} kills, {through + 1} runs that came through")
