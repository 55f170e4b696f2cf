"""The score that decides between models, and MLflow's report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from seqpipe.exceptions import RecipeError, TrackingWarning
from seqpipe.pipeline import run_recipe
from seqpipe.pipeline._held_out import primary_score
from seqpipe.pipeline._job import Job, prepare_job
from seqpipe.pipeline._load import load_recipe

DIGITS = {"data": {"dataset": "digits"}, "task": {"classify": {"hidden_size": 3, "max_epochs": 1}}}
SERIES = {"data": {"path": "series.csv", "id": "id", "time": "t", "features": "a", "target": "b"}}


def job(recipe: dict[str, Any]) -> Job:
    return prepare_job(load_recipe(recipe))


@pytest.fixture
def series(own_folder: Path) -> None:
    """Twelve series of 4 steps, with two targets of 0 and 1."""
    rows = np.arange(48)
    table = pd.DataFrame({"id": rows // 4, "t": rows % 4, "a": rows * 0.5, "b": rows // 4 % 2, "c": rows // 8 % 2})
    table.to_csv("series.csv", index=False)


@pytest.mark.parametrize(
    ("scoring", "metrics", "expected"),
    [
        ("accuracy", ["log_loss", "accuracy", "score"], ("accuracy", True)),
        ("log_loss", ["accuracy", "log_loss", "score"], ("log_loss", False)),
        ("neg_log_loss", ["accuracy", "log_loss", "score"], ("log_loss", False)),
        ("roc_auc_ovr", ["log_loss", "score"], ("score", True)),  # the task does not compute it
        (None, ["log_loss", "score"], ("score", True)),
        (None, ["oddity", "log_loss"], ("log_loss", False)),
        (None, ["oddity"], (None, True)),
    ],
)
def test_the_score_of_the_search_decides(
    scoring: str | None, metrics: list[str], expected: tuple[str | None, bool]
) -> None:
    search = {"grid": {"hidden_size": [3]}, "cv": 2, **({} if scoring is None else {"scoring": scoring})}
    assert primary_score(job({**DIGITS, "search": search}), dict.fromkeys(metrics, 0.5)) == expected


@pytest.mark.usefixtures("series")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"task": "step_classify"}, "MLflow has no report for the task 'step_classify', only for classify and regress"),
        ({"data": {**SERIES["data"], "target": ["b", "c"]}}, "for the task 'classify' with several targets"),
        ({"tracking": {"enabled": False}}, "the report is logged to the run: set 'tracking.enabled' to true"),
    ],
)
def test_a_report_that_there_is_not_is_refused(changes: dict[str, Any], reason: str) -> None:
    recipe = {**SERIES, "task": "classify", "evaluate": {"report": True}, **changes}
    with pytest.raises(RecipeError, match=f"evaluate.report: .*{reason}"):
        job(recipe)


@pytest.mark.usefixtures("series")
def test_a_report_that_fails_does_not_stop_the_run(
    store: str, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_folder / "other").mkdir()
    (own_folder / "other" / "mlflow.py").write_text("raise RuntimeError('no such thing')")
    monkeypatch.setenv("PYTHONPATH", str(own_folder / "other"))
    task = {"classify": {"hidden_size": 3, "max_epochs": 1}}
    recipe = {**SERIES, "task": task, "evaluate": {"report": True, "test_size": 4}, "tracking": {"uri": store}}
    with pytest.warns(TrackingWarning, match="The report was not logged. MLflow could not evaluate .* no such thing"):
        result = run_recipe(recipe)
    assert result.record is not None
    run = MlflowClient(store).get_run(result.record.run_id)
    assert (run.info.status, run.data.tags["seqpipe.held_out.primary"]) == ("FINISHED", "held_out.score")
