"""The task with and without targets, the data set, the recipe and the example of the README."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from seqpipe_anomaly import AnomalyTask, RunningMeanDetector, load_vibrations, make_vibrations

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.pipeline import run_recipe
from seqpipe.plugins import host
from seqpipe.specs import DatasetSpec
from seqpipe.tasks import Roles, TaskData
from seqpipe.testing import check_task

ROOT = Path(__file__).parents[1]
WITH_TARGETS = {"average_precision", "roc_auc", "f1"}
WITHOUT = {"anomaly_q50", "anomaly_q90", "anomaly_q99", "flagged"}


def table(n_samples: int = 10) -> pd.DataFrame:
    X, y = make_vibrations(n_samples, anomalous=0.5, random_state=0)
    parts = [pd.DataFrame(x, columns=["left", "right"]).assign(id=i, bad=y[i]) for i, x in enumerate(X)]
    return pd.concat(parts, ignore_index=True)


def test_a_flat_line_repeats_the_step_before_it_and_a_quarter_of_the_series_is_anomalous() -> None:
    X, y = make_vibrations(40, random_state=0)
    assert sum(each.any() for each in y) == 10
    repeated = [np.flatnonzero((np.diff(x, axis=0) == 0).all(axis=1)) + 1 for x in X]
    assert sum(map(len, repeated)) > 0
    assert all(each[steps].all() for each, steps in zip(y, repeated))


@pytest.mark.parametrize("written", [{True: "True", False: "false"}, {True: 1, False: 0}, {True: True, False: False}])
def test_targets_are_read_as_true_at_anomalous_steps(written: dict) -> None:
    frame = table()
    roles = Roles(id="id", features=("left", "right"), target=("bad",))
    data = AnomalyTask().from_table(frame.assign(bad=frame.bad.map(written)), roles, name="machines")
    np.testing.assert_array_equal(np.concatenate(data.y), frame.bad)


def test_other_targets_are_an_error_that_names_the_row() -> None:
    frame = table().astype({"bad": object})
    frame.loc[3, "bad"] = "broken"
    with pytest.raises(InvalidSequencesError, match="It is 'broken' at row 3"):
        AnomalyTask().from_table(frame, Roles(id="id", features=("left",), target=("bad",)), name="machines")
    with pytest.raises(InvalidSequencesError, match="one target column"):
        AnomalyTask().read_targets(frame[["bad", "left"]], "machines")


def test_metrics_without_anomalies_are_not_defined() -> None:
    X, y = make_vibrations(3, anomalous=0, random_state=0)
    found = AnomalyTask().metrics(RunningMeanDetector().fit(X), TaskData(X, y, "normal"))
    assert found.keys() == WITH_TARGETS
    assert np.isnan(list(found.values())).all()


def test_the_split_has_anomalies_on_either_side() -> None:
    X, y = make_vibrations(16, anomalous=0.25, random_state=0)
    for seed in range(5):
        parts = AnomalyTask().split(None, TaskData(X, y, "machines"), test_size=0.5, seed=seed)
        assert [sum(each.any() for each in part.y) for part in parts] == [2, 2]


def test_predictions_are_a_table_of_steps() -> None:
    X, y = make_vibrations(4, random_state=0)
    model = RunningMeanDetector().fit(X)
    found = AnomalyTask().predictions(model, TaskData(X, y, "machines"))
    assert list(found.columns) == ["id", "step", "prediction", "score"]
    np.testing.assert_array_equal(found.score, np.concatenate(model.score_samples(X)))


@pytest.mark.parametrize(("target", "metrics"), [(("bad",), WITH_TARGETS), ((), WITHOUT)])
def test_the_task_passes_seqpipes_checks_with_and_without_targets(target: tuple[str, ...], metrics: set[str]) -> None:
    roles = Roles(id="id", features=("left", "right"), target=target)
    check_task(AnomalyTask, table=table(24), roles=roles)
    data = AnomalyTask().from_table(table(24), roles, name="machines")
    assert AnomalyTask().metrics(RunningMeanDetector().fit(data.X), data).keys() == metrics


def test_a_score_without_targets_is_an_error() -> None:
    fault = AnomalyTask().scoring_fault("roc_auc", TaskData(np.zeros((2, 3, 1)), None, "machines"))
    assert fault is not None
    assert "'roc_auc' needs a target" in fault


def test_the_example_of_the_readme_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict = {}
    exec(block, names)
    assert (names["labels"][40:50] == -1).sum() >= 4
    assert (names["labels"][:40] == -1).sum() <= 1
    np.testing.assert_allclose(names["arriving"], names["scores"], rtol=1e-3, atol=1e-3)


def test_the_recipe_runs_at_a_tiny_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    whole = load_vibrations()
    chosen = np.argsort([not each.any() for each in whole.y], kind="stable")[:36]
    tiny_data = DatasetSpec("vibrations", lambda: replace(whole, X=whole.X[chosen], y=whole.y[chosen]))
    tiny = ["task.anomaly.hidden_size=2", "task.anomaly.max_epochs=1", "tracking.enabled=false"]
    with host().offering("dataset", tiny_data, "seqpipe-anomaly"):
        ran = run_recipe(ROOT / "anomaly.yaml", overrides=tiny)
    assert len(ran.table) == 4
    assert set(ran.metrics) == WITH_TARGETS
