"""Recipes with a target at each time step, and the shipped ones on computed data at a tiny size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from seqpipe import datasets
from seqpipe.datasets import make_adding
from seqpipe.pipeline import RunResult, predict_table, run_recipe

TINY = {"hidden_size": 3, "max_epochs": 1}


@pytest.fixture(scope="module")
def table(make_sensors: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """Sensors with an alarm and a load at each step."""
    frame = make_sensors(12, shortest=5, longest=20)
    return frame.assign(alarm=np.where(frame["ax"] > 0, "on", "off"), load=frame["ax"] - frame["ay"])


def run(table: pd.DataFrame, store: str, task: str, **more: Any) -> RunResult:
    table.to_csv("sensors.csv", index=False)
    target = "alarm" if task == "step_classify" else "load"
    data = {"path": "sensors.csv", "id": "device", "time": "t", "features": ["ax", "ay", "az"], "target": target}
    return run_recipe(
        {"data": data, "task": {task: TINY}, "evaluate": {"test_size": 4}, "tracking": {"uri": store}, **more}
    )


@pytest.mark.parametrize(
    ("task", "scoring", "columns"),
    [
        ("step_classify", "f1_macro", ["id", "step", "prediction", "p_off", "p_on"]),
        ("step_regress", "rmse", ["id", "step", "prediction"]),
    ],
)
@pytest.mark.filterwarnings("error::seqpipe.exceptions.TrackingWarning")
@pytest.mark.live_tree
def test_a_search_over_steps_is_recorded_and_its_model_predicts_a_row_a_step(
    table: pd.DataFrame, store: str, task: str, scoring: str, columns: list[str]
) -> None:
    search = {"grid": {"cell": ["rnn", "gru"]}, "cv": 2, "scoring": scoring}
    result = run(table, store, task, steps=["scale"], search=search)
    assert result.record is not None
    assert np.isfinite(result.table["mean"]).all()
    new = table.drop(columns=["alarm", "load"])
    new.to_csv("new.csv", index=False)
    predictions = predict_table(result.record.model_uri, "new.csv", tracking_uri=store)
    assert list(predictions) == columns
    assert len(predictions) == len(new)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_a_served_model_gives_a_list_a_sequence(table: pd.DataFrame, store: str) -> None:
    result = run(table, store, "step_regress")
    assert result.record is not None
    served = mlflow.pyfunc.load_model(result.record.model_uri)
    found = served.predict(pd.DataFrame({"sequence": [[[0.0, 1.0, 2.0]], [[3.0, 4.0, 5.0]] * 2]}))
    assert [len(each) for each in found] == [1, 2]


@pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")  # of one epoch
def test_the_recipe_of_the_wave_runs(store: str) -> None:
    changes = ["task.step_regress.hidden_size=4", "task.step_regress.max_epochs=1", f"tracking.uri={store}"]
    result = run_recipe("waves", overrides=changes)
    assert set(result.metrics) == {"r2", "mae", "rmse"}
    assert set(result.baselines) == {"mean", "ridge regression"}
    assert "truth_against_prediction" in result.pictures


def test_the_recipe_of_the_memory_runs(store: str, replace_dataset: Callable[..., None]) -> None:
    short = datasets.load_adding()
    X, y = make_adding(60, 6, random_state=0)
    replace_dataset("adding", lambda: replace(short, X=X, y=y))
    changes = ["task.regress.hidden_size=3", "task.regress.max_epochs=1", "search.cv=2", f"tracking.uri={store}"]
    result = run_recipe("recall", overrides=changes)
    assert sorted(result.table["cell"]) == ["gru", "lstm", "rnn"]


def test_targets_of_steps_are_told_in_words(table: pd.DataFrame) -> None:
    table.to_csv("sensors.csv", index=False)
    told = {}
    for task, target in (("step_classify", "alarm"), ("step_regress", "load")):
        console = Console(file=StringIO(), width=200)
        data = {"path": "sensors.csv", "id": "device", "time": "t", "features": ["ax"], "target": target}
        run_recipe({"data": data, "task": {task: TINY}, "tracking": {"enabled": False}}, console=console)
        told[task] = console.file.getvalue()  # type: ignore[attr-defined]
    assert "1 feature, one of 2 classes per step" in told["step_classify"]
    assert "1 feature, 1 target per step" in told["step_regress"]
