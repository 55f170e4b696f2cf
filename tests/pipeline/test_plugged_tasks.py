"""Tasks of plug-ins: runs, logging and predictions, and errors that name the plug-in."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from rich.console import Console

from seqpipe.exceptions import FitFailedError, PluginError, PluginWarning, RecipeError
from seqpipe.pipeline import RunResult, predict_table, run_recipe
from seqpipe.plugins import ENTRY_POINT_GROUP
from seqpipe.plugins._host import host_for

TASKS = """
    import numpy as np
    import pandas as pd
    from sklearn.mixture import GaussianMixture
    from sklearn.base import BaseEstimator
    from sklearn.model_selection import KFold
    from sklearn.naive_bayes import GaussianNB

    import seqpipe
    from seqpipe import SequenceClassifier
    from seqpipe.specs import TaskSpec
    from seqpipe.tasks import Task, TaskData


    class Means(Task):
        '''Means of each sequence's features, told apart by an estimator that knows no callbacks.'''

        def from_table(self, frame, roles, *, name, with_target=True):
            groups = frame.groupby(roles.id)
            y = groups[roles.target[0]].first().to_numpy(dtype=str) if with_target else None
            return TaskData(groups[["speed", "heat"]].mean().to_numpy(), y, name, roles)

        def estimator(self, params):
            return GaussianNB(**params)

        def split(self, estimator, data, *, test_size, seed):
            cut = int(len(data.X) * (1 - test_size))
            return self._part(data, slice(cut)), self._part(data, slice(cut, None))

        def _part(self, data, rows):
            return TaskData(data.X[rows], None if data.y is None else data.y[rows], data.name, data.roles)

        def cv(self, estimator, data, *, n_splits, seed):
            return KFold(n_splits, shuffle=True, random_state=seed)

        def metrics(self, estimator, data):
            return {"accuracy": float(np.mean(estimator.predict(data.X) == data.y))}

        def baselines(self, estimator, train, test):
            return {}

        def pictures(self, estimator, train, test):
            return {}

        def predictions(self, estimator, data):
            return pd.DataFrame({"prediction": estimator.predict(data.X)})


    class Objects(Means):
        '''Ragged sequences in an object array.'''

        def from_table(self, frame, roles, *, name, with_target=True):
            groups = [group for _, group in frame.groupby(roles.id)]
            X = np.empty(len(groups), dtype=object)
            X[:] = [group[["speed", "heat"]].to_numpy() for group in groups]
            y = np.array([group[roles.target[0]].iloc[0] for group in groups], dtype=str) if with_target else None
            return TaskData(X, y, name, roles)

        def estimator(self, params):
            return SequenceClassifier(**{"hidden_size": 4, "max_epochs": 1, **params})


    class Clusters(Means):
        '''Groups of rows, without targets.'''

        needs_target = False

        def from_table(self, frame, roles, *, name, with_target=True):
            return TaskData(frame[["speed", "heat"]].to_numpy(), None, name, roles)

        def estimator(self, params):
            return GaussianMixture(**{"n_components": 2, "random_state": 0, **params})

        def metrics(self, estimator, data):
            return {"inertia": -float(estimator.score(data.X))}


    class Nearest(BaseEstimator):
        '''Has no score, and takes a list.'''

        def fit(self, X, y):
            self.labels_ = sorted(set(y))
            return self

        def predict(self, X):
            return np.array([self.labels_[0]] * len(X))


    class Lists(Objects):
        '''A list of arrays, and an estimator of the plug-in's own.'''

        def from_table(self, frame, roles, *, name, with_target=True):
            found = super().from_table(frame, roles, name=name, with_target=with_target)
            return TaskData([*found.X], found.y, name, roles)

        def estimator(self, params):
            return Nearest(**params)


    class Arrays(Means):
        '''Data that never was a table.'''

        def estimator(self, params):
            return SequenceClassifier(**{"hidden_size": 2, "max_epochs": 1, **params})


    def broken(method, result):
        def instead(self, *args, **options):
            if isinstance(result, Exception):
                raise result
            return result
        return type("Broken", (Means,), {method: instead})


    FAULTS = {
        "made_a_class": ("estimator", GaussianNB),
        "made_none": ("estimator", None),
        "made_without_fit": ("estimator", "GaussianNB"),
        "made_with_error": ("estimator", KeyError("cell")),
        "no_data": ("from_table", [[1.0], [2.0]]),
        "no_length": ("from_table", TaskData(iter([]), None, "x")),
        "unequal": ("from_table", TaskData(np.ones((3, 1)), np.ones(2), "x")),
        "failed_to_read": ("from_table", KeyError("speed")),
        "one_part": ("split", TaskData(np.ones((3, 1)), np.ones(3), "x")),
        "no_folds": ("cv", 3),
        "no_dict": ("metrics", 0.5),
        "text_score": ("metrics", {"accuracy": "high"}),
        "failed_to_judge": ("metrics", ZeroDivisionError("division by zero")),
        "flat_baselines": ("baselines", {"chance": 0.5}),
        "failed_to_draw": ("pictures", RuntimeError("no display")),
        "no_figure": ("pictures", {"curve": "curve.png"}),
        "no_texts": ("texts", ["a"]),
        "no_table": ("predictions", [1, 2]),
        "no_name": ("parameter", None),
        "not_applicable": ("scoring_fault", "accuracy needs whole numbers"),
        "no_reason": ("scoring_fault", True),
    }

    def unmade():
        raise OSError("no licence")

    @seqpipe.hookimpl
    def seqpipe_tasks():
        whole = {"means": Means, "objects": Objects, "clusters": Clusters, "lists": Lists, "arrays": Arrays}
        for name, task in whole.items():
            yield TaskSpec(name, task)
        for name, fault in FAULTS.items():
            yield TaskSpec(name, broken(*fault))
        yield TaskSpec("nan_score", broken("metrics", {"accuracy": float("nan"), "f1": 1}))
        yield TaskSpec("no_task", dict)
        yield TaskSpec("unmade", unmade)
"""


@pytest.fixture(scope="module", autouse=True)
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Install a distribution that offers tasks, during the tests of this module."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "acme_tasks.py").write_text(textwrap.dedent(TASKS))
    info = folder / "acme_tasks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-tasks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\nmain = acme_tasks\n")
    sys.path.insert(0, str(folder))
    host_for.cache_clear()
    yield
    sys.path.remove(str(folder))
    sys.modules.pop("acme_tasks", None)
    host_for.cache_clear()


@pytest.fixture
def table(in_own_folder: None) -> Path:
    rng = np.random.default_rng(0)
    rows = [
        (i, t, rng.normal() + 3 * (i % 2), rng.normal(), "ab"[i % 2]) for i in range(16) for t in range(int(3 + i % 3))
    ]
    pd.DataFrame(rows, columns=["machine", "t", "speed", "heat", "state"]).to_csv("machines.csv", index=False)
    return Path("machines.csv")


def run(task: Any, *, target: str | None = "state", **more: Any) -> RunResult:
    data = {"path": "machines.csv", "id": "machine", "time": "t"} | ({} if target is None else {"target": target})
    return run_recipe({"name": "acme", "data": data, "task": task, **more})


def model_of(result: RunResult) -> str:
    assert result.record is not None
    assert result.record.model_uri is not None
    return result.record.model_uri


def test_a_plain_estimator_is_fitted_logged_and_predicts_without_a_search(table: Path, store: str) -> None:
    result = run("means")
    assert result.metrics == {"accuracy": 1.0}
    assert result.record is not None
    logged = MlflowClient(store).get_run(result.record.run_id)
    assert logged.info.status == "FINISHED"
    assert logged.data.metrics["held_out.accuracy"] == logged.data.metrics["held_out.score"] == 1.0
    predicted = predict_table(model_of(result), table)
    assert predicted["prediction"].tolist() == ["a", "b"] * 8
    served = mlflow.pyfunc.load_model(model_of(result))
    assert served.predict(np.array([[0, 0], [3, 0]])).tolist() == ["a", "b"]


def test_a_plain_estimator_is_searched_by_its_own_names(table: Path) -> None:
    result = run({"means": {"var_smoothing": 0.1}}, search={"grid": {"var_smoothing": [0.001, 100.0]}, "cv": 2})
    assert result.best_params == {"model__var_smoothing": 0.001}
    with pytest.raises(
        RecipeError, match=r"search.grid.var_smooth: is not a parameter here. Did you mean 'var_smoothing'"
    ):
        run("means", search={"grid": {"var_smooth": [0.1]}, "cv": 2})


@pytest.mark.parametrize("search", [None, {"grid": {"hidden_size": [2, 3]}, "cv": 2}])
def test_object_arrays_are_sequences(table: Path, search: dict[str, Any] | None) -> None:
    result = run("objects", **({} if search is None else {"search": search}))
    assert len(predict_table(model_of(result), table)) == 16


def test_data_without_targets_is_clustered(table: Path) -> None:
    result = run("clusters", target=None)
    assert result.metrics["inertia"] > 0
    assert set(predict_table(model_of(result), table)["prediction"]) == {0, 1}
    assert run("clusters", target=None, search={"grid": {"n_components": [1, 2]}, "cv": 2}).best_score is not None
    scaled = run("clusters", target=None, tracking={"enabled": False}, seed=1)
    assert scaled.metrics["inertia"] > 0


def test_an_estimator_without_a_score_takes_a_list(table: Path, store: str) -> None:
    shown = StringIO()
    data = {"path": "machines.csv", "id": "machine", "time": "t", "target": "state"}
    result = run_recipe({"data": data, "task": "lists"}, console=Console(file=shown, width=120))
    assert "16 samples" in shown.getvalue()
    assert result.record is not None
    assert "held_out.score" not in MlflowClient(store).get_run(result.record.run_id).data.metrics
    assert predict_table(model_of(result), table)["prediction"].tolist() == ["a"] * 16


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("made_a_class", r"estimator\(\) must return an estimator. Got the class GaussianNB: call it"),
        ("made_none", r"estimator\(\) must return an estimator. Got None, which has no fit\(\)"),
        ("made_without_fit", r"estimator\(\) must return an estimator. Got 'GaussianNB', which has no fit\(\)"),
        ("made_with_error", r" failed in estimator\(\): KeyError: 'cell'"),
        ("no_data", r"from_table\(\) must return a TaskData. Got \[\[1.0\], \[2.0\]\] instead"),
        ("no_length", r"from_table\(\) must return a TaskData whose X has a length"),
        ("unequal", r"from_table\(\) must return as many targets as samples. Got 3 samples and 2 targets"),
        ("failed_to_read", r" failed in from_table\(\): KeyError: 'speed'"),
        ("one_part", r"split\(\) must return two TaskData"),
        ("no_dict", r"metrics\(\) must return a dict with string keys. Got 0.5 instead"),
        ("text_score", r"metrics\(\) must return a dict of numbers. Got accuracy: 'high' instead"),
        ("failed_to_judge", r" failed in metrics\(\): ZeroDivisionError: division by zero"),
        ("flat_baselines", r"baselines\(\) must return a dict with string keys. Got 0.5 instead"),
        ("failed_to_draw", r" failed in pictures\(\): RuntimeError: no display"),
        ("no_figure", r"pictures\(\) must return a dict of matplotlib figures. Got curve: 'curve.png'"),
        ("no_texts", r"texts\(\) must return a dict with string keys. Got \['a'\] instead"),
        ("no_name", r"parameter\(\) must return a string. Got None instead"),
        ("no_task", r" must be a seqpipe.tasks.Task. Its factory returned \{\} instead"),
        ("unmade", r" failed with OSError: no licence"),
    ],
)
def test_a_broken_task_is_told_by_its_plug_in(table: Path, task: str, message: str) -> None:
    with pytest.raises(PluginError, match=rf"^The task '{task}' of the plug-in 'acme-tasks'.*{message}"):
        run(task, tracking={"enabled": False})


def test_a_broken_task_ends_its_run_as_failed(table: Path, store: str) -> None:
    with pytest.raises(PluginError, match="ZeroDivisionError"):
        run("failed_to_judge", tracking={"experiment": "judged"})
    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("judged")
    assert experiment is not None
    assert [each.info.status for each in client.search_runs([experiment.experiment_id])] == ["FAILED"]


def test_folds_and_predictions_of_a_broken_task_are_told(table: Path) -> None:
    search = {"grid": {"var_smoothing": [0.1]}, "cv": 2}
    with pytest.raises(PluginError, match=r"cv\(\) must return a scikit-learn splitter. Got 3 instead"):
        run("no_folds", search=search)
    with pytest.raises(PluginError, match=r"scoring_fault\(\) must return a string or None. Got True instead"):
        run("no_reason", search=search)
    with pytest.raises(PluginError, match=r"'no_table' .* predictions\(\) must return a DataFrame. Got \[1, 2\]"):
        predict_table(model_of(run("no_table")), table)


def test_a_score_that_the_task_refuses_is_a_fault_of_the_recipe(table: Path) -> None:
    search = {"grid": {"var_smoothing": [0.1]}, "cv": 2, "scoring": "accuracy"}
    with pytest.raises(RecipeError, match=r"search.scoring: accuracy needs whole numbers"):
        run("not_applicable", search=search)


def test_a_score_that_is_not_a_number_is_told(table: Path) -> None:
    with pytest.warns(PluginWarning, match=r"'nan_score' .*metrics\(\) returned NaN for accuracy"):
        result = run("nan_score", tracking={"enabled": False})
    assert result.metrics["f1"] == 1.0


def test_data_that_never_was_a_table_is_taken(store: str) -> None:
    data = {"dataset": "digits"}
    result = run_recipe({"data": data, "task": "arrays", "evaluate": {"test_size": 0.95}})
    served = mlflow.pyfunc.load_model(model_of(result))
    assert len(served.predict(np.ones((2, 8, 8), dtype=int))) == 2


@pytest.mark.parametrize("search", [None, {"grid": {"var_smoothing": [1.0]}, "cv": 2}])
def test_an_estimator_that_cannot_be_fitted_is_told(table: Path, search: dict[str, Any] | None) -> None:
    pd.read_csv(table).assign(speed=np.inf).to_csv(table, index=False)
    with pytest.raises(FitFailedError, match=r"[Ff]it .*failed.* ValueError: Input X contains infinity"):
        run("means", tracking={"enabled": False}, **({} if search is None else {"search": search}))


def test_a_plugged_task_says_whether_its_model_is_fitted_again() -> None:
    from seqpipe.pipeline._plugged_task import PluggedTask
    from seqpipe.tasks import ClassifyTask, ForecastTask

    assert PluggedTask(ForecastTask(), "the task").refits
    assert not PluggedTask(ClassifyTask(), "the task").refits
