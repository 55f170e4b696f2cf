"""A run whose model is no better than a constant prediction says so."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from seqpipe.exceptions import BaselineWarning
from seqpipe.pipeline import RunResult, run_recipe
from seqpipe.pipeline._plugged_task import PluggedTask
from seqpipe.pipeline._remark import constant_remark
from seqpipe.pipeline._report import print_result
from seqpipe.plugins import host
from seqpipe.tasks import ClassifyTask, RegressTask, Task

CONSTANT = {"accuracy": 0.6, "balanced_accuracy": 0.5, "log_loss": 0.67}


def remark(task: Task, metrics: dict[str, float], constant: dict[str, float]) -> str | None:
    return constant_remark(task, metrics, {str(task.constant_baseline): constant, "other": metrics})


def test_a_model_that_is_better_in_no_metric_that_counts_is_remarked() -> None:
    worse = {"accuracy": 0.6, "balanced_accuracy": 0.55, "log_loss": 0.7}
    found = remark(ClassifyTask(), worse, CONSTANT)
    assert found is not None
    assert (
        "a constant prediction, 'most frequent class': accuracy 0.6 against 0.6, log_loss 0.7 against 0.67. Try"
        in found
    )
    for number, remedy in enumerate(BaselineWarning.remedies, 1):
        assert f"({number}) {remedy}" in found


@pytest.mark.parametrize("better", [{"accuracy": 0.61}, {"log_loss": 0.66}])
def test_a_model_that_is_better_in_one_of_them_is_not(better: dict[str, float]) -> None:
    assert remark(ClassifyTask(), {**CONSTANT, **better}, CONSTANT) is None


def test_a_score_that_is_not_a_number_is_not_better() -> None:
    assert remark(RegressTask(), {"rmse": np.nan}, {"rmse": 1.0}) is not None
    assert constant_remark(RegressTask(), {"rmse": 1.0}, {}) is None


@pytest.mark.parametrize("name", sorted(host().names("task")))
def test_every_task_that_comes_with_seqpipe_names_its_constant(name: str) -> None:
    found = host().find("task", name, parameter="The task")
    if not found.is_builtin:
        pytest.skip("it is a plug-in's")
    task = found.spec.factory()
    assert task.constant_baseline is not None
    assert task.constant_metrics
    assert PluggedTask(task, "it").constant_baseline == task.constant_baseline
    assert PluggedTask(task, "it").constant_metrics == task.constant_metrics


def test_the_remark_is_printed_below_the_scores() -> None:
    written = io.StringIO()
    result = RunResult("ours", None, pd.DataFrame(), metrics=CONSTANT, remark="The model is not better.")
    print_result(Console(file=written, width=100), result)
    assert written.getvalue().index("Scores on the held-out data") < written.getvalue().index(
        "The model is not better."
    )


def noise() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 4)), columns=["y", "a", "b", "c"])
    frame.to_csv("noise.csv", index=False)
    return {
        "data": {"path": "noise.csv", "target": "y"},
        "task": {"regress": {"max_epochs": 40, "hidden_size": 8, "lr": 0.05}},
        "tracking": {"enabled": False},
        "evaluate": {"test_size": 0.5},
    }


def test_a_recipe_on_noise_says_so(tmp_path: Any) -> None:
    found = run_recipe(noise())
    assert found.metrics["rmse"] >= found.baselines["mean"]["rmse"]
    assert "'mean': rmse" in str(found.remark)
