"""Pictures of the model in training: of which fits and epochs they are, where they are logged, and what goes wrong."""

from __future__ import annotations

import gc
import os
import pickle
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from seqpipe import SequenceClassifier, SlidingWindowClassifier
from seqpipe.callbacks import fit_with_callbacks
from seqpipe.exceptions import RecipeError, TrackingWarning
from seqpipe.pipeline import RunResult, checked_task, local_path, run_recipe
from seqpipe.pipeline._epoch_pictures import EpochPictures
from seqpipe.plugins import host
from seqpipe.specs import TaskSpec
from seqpipe.tables import Roles
from seqpipe.tasks import ClassifyTask, RegressTask, SampleTask, StepClassifyTask, StepRegressTask, Task, TaskData
from seqpipe.training import Checkpoint
from seqpipe.transformers import SequenceScaler

pytestmark = pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")
SHORT = {"hidden_size": 3, "max_epochs": 4, "batch_size": 8, "random_state": 0}
ROLES = {"id": "device", "time": "t", "features": ["ax", "ay", "az"]}
TASKS: dict[str, tuple[Task, str, str]] = {
    "classify": (ClassifyTask(), "activity", "confusion_matrix"),
    "regress": (RegressTask(), "mean", "truth_against_prediction"),
    "step_classify": (StepClassifyTask(), "alarm", "confusion_matrix"),
    "step_regress": (StepRegressTask(), "load", "truth_against_prediction"),
}


@pytest.fixture(scope="module")
def table(make_sensors: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    frame = make_sensors(30, shortest=5, longest=12)
    mean = frame.groupby("device")["ax"].transform("mean")
    return frame.assign(alarm=np.where(frame["ax"] > 0, "on", "off"), load=frame["ax"] - frame["ay"], mean=mean)


class Log:
    """Notes names and epochs of pictures, and whether they are still in memory."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, int]] = []
        self.figures: list[Any] = []

    def __call__(self, figure: Any, name: str, *, step: int) -> None:
        self.entries.append((name, step))
        self.figures.append(weakref.ref(figure))


def parts(task: Task, table: pd.DataFrame, target: Any) -> tuple[TaskData, TaskData]:
    roles = Roles("device", "t", ("ax", "ay", "az"), (target,) if isinstance(target, str) else target)
    data = task.from_table(table, roles, name="sensors")
    return task.split(task.estimator({}), data, test_size=6, seed=0)


def fitted(task: Task, model: Any, parts: tuple[TaskData, TaskData], *, every: int = 2) -> tuple[Any, Log]:
    train, test = parts
    log = Log()
    return fit_with_callbacks(clone(model), [EpochPictures(every, task, test, log)], train.X, train.y), log


def in_pipeline(estimator: Any) -> Pipeline:
    return Pipeline([("scale", SequenceScaler()), ("model", estimator)])


def learned(model: Any) -> tuple[list[bytes], list[Any]]:
    weights = [value.numpy().tobytes() for value in model.net_.module_.state_dict().values()]
    return weights, [{name: value for name, value in record.items() if name != "dur"} for record in model.history_]


def images(result: RunResult) -> list[tuple[str, int]]:
    """Name and epoch of each image of a run."""
    assert result.record is not None
    folder = Path(local_path(result.record.artifact_uri)) / "images"
    found = [path.name.split("+") for path in folder.glob("*.png")]
    return sorted((name, int(step)) for name, _, step, *_ in found)


def recipe(table: pd.DataFrame, task: str = "classify", **more: Any) -> dict[str, Any]:
    table.to_csv("sensors.csv", index=False)
    evaluate = {"test_size": 6, "epoch_pictures": 2, **more.pop("evaluate", {})}
    data = {"path": "sensors.csv", **ROLES, "target": "activity"}
    return {"data": data, "task": {task: SHORT}, "evaluate": evaluate, **more}


# ---- which pictures


@pytest.mark.parametrize("name", TASKS)
def test_the_pictures_of_a_fit_are_those_of_its_epochs_and_do_not_change_it(table: pd.DataFrame, name: str) -> None:
    task, target, picture = TASKS[name]
    model, (train, test) = task.estimator(SHORT), parts(task, table, target)
    found, log = fitted(task, model, (train, test))
    assert log.entries == [(picture, 2), (picture, 4)]
    assert learned(found) == learned(clone(model).fit(train.X, train.y))


def test_of_a_pipeline_the_held_out_data_is_transformed(table: pd.DataFrame) -> None:
    seen: list[Any] = []

    class Predictions(ClassifyTask):
        def epoch_pictures(self, estimator: Any, test: TaskData) -> Any:
            seen.append(estimator.predict_proba(test.X))
            return super().epoch_pictures(estimator, test)

    task = Predictions()
    split = parts(task, table.assign(ax=100 * table["ax"]), "activity")
    model, log = fitted(task, in_pipeline(task.estimator(SHORT)), split)
    assert log.entries == [("confusion_matrix", 2), ("confusion_matrix", 4)]
    np.testing.assert_array_equal(seen[-1], model.predict_proba(split[1].X))


@pytest.mark.live_tree
def test_of_a_search_only_the_refit_is_drawn(table: pd.DataFrame) -> None:
    task = ClassifyTask()
    search = GridSearchCV(in_pipeline(task.estimator(SHORT)), {"model__cell": ["gru", "rnn"]}, cv=2)
    search, log = fitted(task, search, parts(task, table, "activity"))
    assert log.entries == [("confusion_matrix", 2), ("confusion_matrix", 4)]
    assert hasattr(search, "best_estimator_")


def test_epochs_before_a_checkpoint_are_not_drawn_again(table: pd.DataFrame, tmp_path: Path) -> None:
    class Interrupted(ClassifyTask):
        def epoch_pictures(self, estimator: Any, test: TaskData) -> Any:
            if len(estimator.history_) == 4:
                raise SystemExit("the time is over")
            return super().epoch_pictures(estimator, test)

    task = ClassifyTask()
    model = task.estimator({**SHORT, "checkpoint": Checkpoint(tmp_path, every_n_updates=1)})
    split = parts(task, table, "activity")
    with pytest.raises(SystemExit):
        fitted(Interrupted(), model, split)
    assert fitted(task, model, split)[1].entries == [("confusion_matrix", 4)]
    assert fitted(task, model, split)[1].entries == []


def test_a_worker_gets_neither_task_nor_data(table: pd.DataFrame) -> None:
    task = ClassifyTask()
    _, test = parts(task, table, "activity")
    assert len(pickle.dumps(EpochPictures(2, task, test, Log()))) < 500


def test_figures_are_collected_also_those_of_pyplot(table: pd.DataFrame) -> None:
    from matplotlib import pyplot

    class WithPyplot(ClassifyTask):
        def epoch_pictures(self, estimator: Any, test: TaskData) -> Any:
            return {"empty": pyplot.figure(), **super().epoch_pictures(estimator, test)}

    task = WithPyplot()
    _, log = fitted(task, task.estimator(SHORT), parts(task, table, "activity"))
    gc.collect()
    assert len(log.figures) == 4
    assert not any(figure() for figure in log.figures)
    assert pyplot.get_fignums() == []


# ---- what goes wrong


class Fails(ClassifyTask):
    def epoch_pictures(self, estimator: Any, test: TaskData) -> Any:
        raise RuntimeError("no display")


class Several(Fails):
    def epoch_pictures(self, estimator: Any, test: TaskData) -> Any:
        return ["confusion_matrix"]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Fails(), r"failed in epoch_pictures\(\): RuntimeError: no display\. The fit goes on"),
        (Several(), r"epoch_pictures\(\) must return a dict with string keys"),
    ],
    ids=["fails", "no dict"],
)
def test_a_picture_that_fails_warns_once_and_names_the_task(table: pd.DataFrame, task: Task, message: str) -> None:
    checked = checked_task(task, "The task 'screen' of acme")
    with pytest.warns(TrackingWarning, match=f"A picture of epoch 1 .*The task 'screen' of acme.*{message}") as caught:
        model, log = fitted(checked, task.estimator(SHORT), parts(task, table, "activity"), every=1)
    assert len(caught) == 1
    assert log.entries == []
    assert model.n_iter_ == 4


@pytest.mark.parametrize(
    ("estimator", "target", "every", "message"),
    [
        (SequenceClassifier(**SHORT), "activity", 5, "the fit ended after 4 epochs, and evaluate.epoch_pictures is 5"),
        (SequenceClassifier(**SHORT), ("high", "low"), 2, "the task draws none for these targets"),
        (SlidingWindowClassifier(SequenceClassifier(**SHORT), window=3), "activity", 2, "it has no epochs of its own"),
    ],
    ids=["short", "several labels", "windows"],
)
def test_a_fit_without_pictures_says_why(
    table: pd.DataFrame, estimator: Any, target: Any, every: int, message: str
) -> None:
    mean = table["mean"]
    task, table = ClassifyTask(), table.assign(high=(mean > 0).astype(int), low=(mean < 0.1).astype(int))
    with pytest.warns(TrackingWarning, match=f"No picture of the model in training was logged: {message}") as caught:
        _, log = fitted(task, estimator, parts(task, table, target), every=every)
    assert len(caught) == 1
    assert log.entries == []


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "each"])
def test_the_field_is_a_number_of_epochs(table: pd.DataFrame, value: Any) -> None:
    with pytest.raises(RecipeError, match=r"evaluate\.epoch_pictures"):
        run_recipe(recipe(table, evaluate={"epoch_pictures": value}))


def test_a_task_without_pictures_in_training_is_refused_before_it(table: pd.DataFrame) -> None:
    table.to_csv("sensors.csv", index=False)
    series = {"path": "sensors.csv", "target": "load"}
    with pytest.raises(RecipeError, match=r"evaluate\.epoch_pictures: the task 'forecast' draws no pictures"):
        run_recipe({"data": series, "task": "forecast", "evaluate": {"epoch_pictures": 2}})


def test_a_task_of_a_plug_in_that_is_older_than_the_method_is_refused(table: pd.DataFrame) -> None:
    class Older(SampleTask):
        target_type = "labels"

        def estimator(self, params: Any) -> Any:
            return SequenceClassifier(**params)

        def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
            return {"accuracy": float(estimator.score(data.X, data.y))}

    with host().offering("task", TaskSpec("older", Older), "acme"):
        with pytest.raises(RecipeError, match="the task 'older' draws no pictures"):
            run_recipe(recipe(table, "older"))
        run_recipe(recipe(table, "older", evaluate={"epoch_pictures": None}, tracking={"enabled": False}))


def test_pictures_without_a_run_are_refused(table: pd.DataFrame) -> None:
    with pytest.raises(
        RecipeError, match=r"epoch_pictures: the pictures are logged to the run: set 'tracking.enabled'"
    ):
        run_recipe(recipe(table, tracking={"enabled": False}))


# ---- the run


def test_a_recipe_logs_pictures_of_the_model_in_training_to_its_run(table: pd.DataFrame) -> None:
    drawn_from: list[list[str]] = []

    class Screen(ClassifyTask):
        def epoch_pictures(self, estimator: Any, test: TaskData) -> Any:
            drawn_from.append(list(estimator.named_steps))
            return super().epoch_pictures(estimator, test)

    with host().offering("task", TaskSpec("screen", Screen), "acme"):
        result = run_recipe(recipe(table, "screen", steps=["scale"], evaluate={"refit": True}))
    assert images(result) == [("confusion_matrix", 2), ("confusion_matrix", 4)]
    assert drawn_from == [["scale", "model"]] * 2
    assert set(result.pictures) == {"confusion_matrix", "learning_curves"}


@pytest.mark.live_tree
@pytest.mark.skipif("SEQPIPE_FAULTS" not in os.environ, reason="set SEQPIPE_FAULTS=1")
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_a_recipe_with_a_search_logs_those_of_the_refit(table: pd.DataFrame, backend: str) -> None:
    search = {"grid": {"cell": ["gru", "rnn"]}, "cv": 2, "jobs": 2, "backend": backend}
    assert images(run_recipe(recipe(table, search=search))) == [("confusion_matrix", 2), ("confusion_matrix", 4)]
