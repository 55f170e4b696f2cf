"""The digits recipe, killed at random moments until it is through."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from sklearn.model_selection import ParameterGrid

from seqpipe.pipeline import RunResult, run_recipe

ALL = os.environ.get("SEQPIPE_FAULTS", "0") not in ("", "0")
KILLS = 100
RECIPE: dict[str, Any] = {
    "data": {"dataset": "digits"},
    "task": {"classify": {"max_epochs": 4, "hidden_size": 8}},
    "search": {"grid": {"cell": ["gru", "rnn"], "dropout": [0.0, 0.2]}, "cv": 3},
}


def written(result: RunResult) -> dict[str, Any]:
    table = result.table[["rank", "name", "mean", "std", "n_parameters"]].to_dict("records")
    return {"table": table, "best": result.best_params, "metrics": result.metrics, "baselines": result.baselines}


def run(path: Path, tracking: dict[str, Any]) -> None:
    path.write_text(json.dumps(written(run_recipe({**RECIPE, "tracking": tracking}))))


def assert_whole_trees(uri: str, through: int) -> None:
    """Check that the store has complete trees only, and that nothing in them is doubled.

    A run that is killed once it has deleted its checkpoints has a tree, too.
    """
    client = MlflowClient(uri)
    [experiment] = [each for each in client.search_experiments() if each.name == "killed"]
    runs = list(client.search_runs([experiment.experiment_id], max_results=50_000))
    candidates = len(ParameterGrid(RECIPE["search"]["grid"]))
    folds = candidates * RECIPE["search"]["cv"]
    kinds = Counter(run.data.tags["seqpipe.kind"] for run in runs)
    n_trees = kinds["search"]
    assert through <= n_trees <= through + KILLS // 10
    of_a_tree = {"search": 1, "candidate": candidates, "fold": folds, "refit": 1, "baseline": 2}
    assert kinds == {kind: number * n_trees for kind, number in of_a_tree.items()}
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        for key in run.data.metrics:
            steps = [point.step for point in client.get_metric_history(run.info.run_id, key)]
            assert len(steps) == len(set(steps)), (run.info.run_name, key)
            if key == "train_loss":
                assert len(steps) == RECIPE["task"]["classify"]["max_epochs"]


@pytest.mark.skipif(not ALL, reason="takes minutes; make faults runs it")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # between MLflow and its dependencies, on import
@pytest.mark.parametrize("tracked", [False, True])
def test_the_table_is_that_of_a_run_that_was_not_killed(tracked: bool, own_folder: Path, in_child: Any) -> None:
    uri = f"sqlite:///{own_folder / 'runs.db'}"
    tracking = {"uri": uri, "experiment": "killed"} if tracked else {"enabled": False}
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
    if tracked:
        assert_whole_trees(uri, through + 2)
    print(f"{killed} kills, {through + 1} runs that came through")
