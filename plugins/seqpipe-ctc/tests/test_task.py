"""The task, the data set, the recipe and the example of the README."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from seqpipe_ctc import CTCRecognizer, CTCTask, load_tones, make_tones

from seqpipe.exceptions import InvalidSequencesError, UnknownNameError
from seqpipe.pipeline import run_recipe
from seqpipe.plugins import host
from seqpipe.specs import DatasetSpec
from seqpipe.tasks import Roles, TaskData
from seqpipe.testing import check_task

ROOT = Path(__file__).parents[1]
ROLES = Roles(id="id", features=("low", "high"), target=("tones",))
TINY = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}


def long_table(X: list[np.ndarray], y: list[str]) -> pd.DataFrame:
    parts = [pd.DataFrame(x[:, :2], columns=["low", "high"]).assign(id=i, tones=y[i]) for i, x in enumerate(X)]
    return pd.concat(parts, ignore_index=True)


def test_the_task_passes_seqpipes_checks() -> None:
    check_task(CTCTask, table=long_table(*make_tones(40, random_state=0)), roles=ROLES, params=TINY)


def test_recordings_have_silence_and_two_to_five_tones() -> None:
    X, y = make_tones(50, noise=0.0, random_state=1)
    assert {len(tones) for tones in y} == {2, 3, 4, 5}
    for x, tones in zip(X, y):
        loud = np.r_[False, (x > 0).any(axis=1)]
        assert np.count_nonzero(loud[1:] & ~loud[:-1]) == len(tones)


def test_a_table_with_a_column_of_strings_becomes_label_sequences() -> None:
    X, y = make_tones(4, random_state=0)
    data = CTCTask().from_table(long_table(X, y), ROLES, name="tones")
    assert list(data.y) == y
    np.testing.assert_allclose(data.X[3], X[3][:, :2])


def test_several_target_columns_are_an_error() -> None:
    table = long_table(*make_tones(2, random_state=0)).assign(other="ab")
    with pytest.raises(InvalidSequencesError, match="one target column"):
        CTCTask().from_table(table, Roles(id="id", target=("tones", "other")), name="tones")


def test_an_unknown_parameter_is_an_error() -> None:
    with pytest.raises(UnknownNameError, match="hidden_size"):
        CTCTask().estimator({"hidden_sise": 4})


def test_the_baseline_is_the_most_frequent_sequence() -> None:
    X = np.zeros((4, 5, 1))
    train, test = TaskData(X, ["ab", "abcd", "abcd", "c"], "train"), TaskData(X[:2], ["ab", "abcd"], "test")
    found = CTCTask().baselines(None, train, test)
    assert found == {"most frequent sequence": {"label_error_rate": 2 / 6, "sequence_accuracy": 0.5}}


def test_predictions_are_a_table_of_label_sequences() -> None:
    X, y = make_tones(20, random_state=0)
    lists = [list(labels) for labels in y]
    model = CTCRecognizer(**TINY).fit(X, lists)
    found = CTCTask().predictions(model, TaskData(X, lists, "tones"))
    assert list(found.columns) == ["id", "prediction"]
    assert found.prediction.tolist() == model.predict(X)


def test_the_example_of_the_readme_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict = {}
    exec(block, names)
    assert names["model"].score(names["X"][150:], names["y"][150:]) > 0.8


def test_the_recipe_runs_at_a_tiny_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    whole = load_tones()
    tiny_data = DatasetSpec("tones", lambda: replace(whole, X=whole.X[:60], y=whole.y[:60]))
    tiny = ["task.ctc.hidden_size=2", "task.ctc.max_epochs=1", "search.cv=2", "tracking.enabled=false"]
    tiny += ["search.grid.bidirectional=[true]"]
    with host().offering("dataset", tiny_data, "seqpipe-ctc"):
        ran = run_recipe(ROOT / "ctc.yaml", overrides=tiny)
    assert len(ran.table) == 3
    assert set(ran.metrics) >= {"label_error_rate", "sequence_accuracy"}
