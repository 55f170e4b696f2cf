"""`check_task` passes seqpipe's tasks, and names the fault of one that breaks the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import KFold, ShuffleSplit

from seqpipe import SequenceClassifier
from seqpipe.builtins import seqpipe_tasks
from seqpipe.exceptions import UnknownNameError
from seqpipe.tasks import (
    CaptionTask,
    ClassifyTask,
    ForecastTask,
    LanguageModelTask,
    RegressTask,
    Roles,
    SampleTask,
    StepClassifyTask,
    StepRegressTask,
    Task,
    TaskData,
    TranslateTask,
)
from seqpipe.testing import TASK_CHECKS, CheckError, check_task


def texts() -> pd.DataFrame:
    random = np.random.default_rng(0)
    words = ["".join(random.choice(["ab", "ba", "ac"], size=size)) for size in random.integers(2, 5, size=40)]
    return pd.DataFrame({"text": words, "mirror": [word[::-1] for word in words], "kind": ["odd", "even"] * 20})


def vectors() -> pd.DataFrame:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)), columns=["a", "b", "c"])
    return frame.assign(name=np.where(frame["a"] > 0, "right", "left"))


def panel() -> pd.DataFrame:
    months = pd.date_range("2018-01-01", periods=40, freq="MS")
    gas = pd.DataFrame({"place": "north", "month": months, "gas": np.sin(np.arange(40))})
    return pd.concat([gas, gas.assign(place="south", gas=-gas["gas"])], ignore_index=True)


SHORT = {"window": 6, "horizon": 2, "max_epochs": 1, "random_state": 0}
SHIPPED: dict[Any, dict[str, Any]] = {
    CaptionTask: {"table": vectors(), "roles": Roles(target=("name",))},
    ClassifyTask: {},
    ForecastTask: {"params": {**SHORT, "season": 12}},
    LanguageModelTask: {"table": texts(), "roles": Roles(sequence="text", target=("kind",))},
    RegressTask: {},
    StepClassifyTask: {},
    StepRegressTask: {},
    TranslateTask: {"table": texts(), "roles": Roles(sequence="text", target=("mirror",))},
}


def test_every_task_of_the_registry_has_a_case() -> None:
    assert {spec.factory for spec in seqpipe_tasks()} == set(SHIPPED)


@pytest.mark.parametrize("task", SHIPPED)
def test_seqpipes_tasks_pass(task: Any) -> None:
    check_task(task, **SHIPPED[task])


def test_a_panel_of_series_passes() -> None:
    roles = Roles(id="place", time="month", target=("gas",))
    check_task(ForecastTask, table=panel(), roles=roles, params=SHORT, exclude=["runs_in_a_search"])


def test_data_that_never_was_a_table_is_taken() -> None:
    X = np.random.default_rng(0).normal(size=(30, 5, 2))
    report = check_task(ClassifyTask, data=TaskData(X, np.where(X[:, -1, 0] > 0, "up", "down"), "steps"))
    assert report["runs_in_a_search"].status == "passed"


def test_a_series_that_never_was_a_table_is_taken() -> None:
    months = pd.date_range("2018-01-01", periods=40, freq="MS", name="month")
    series = pd.DataFrame({"gas": np.sin(np.arange(40))}, index=months)
    data = TaskData(series, None, "gas", Roles(time="month", target=("gas",)))
    report = check_task(ForecastTask, data=data, params=SHORT)
    assert report["runs_in_a_recipe"].status == "passed"


def test_a_panel_that_is_no_table_runs_in_no_recipe() -> None:
    roles = Roles(id="place", time="month", target=("gas",))
    data = ForecastTask().from_table(panel(), roles, name="places")
    report = check_task(ForecastTask, data=data, params=SHORT, include=["runs_in_a_recipe"])
    assert report.results[0].message == "in a recipe a panel is a table: pass a table and its roles"


class Screen(SampleTask):
    """Of two methods, the least that a task defines."""

    target_type = "labels"

    def estimator(self, params: Any) -> Any:
        return SequenceClassifier(**params)

    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        return {"missed": float((estimator.predict(data.X)[data.y == "fast"] != "fast").mean())}


class Clusters(SampleTask):
    """Groups of vectors, with an estimator that is not seqpipe's and needs no targets."""

    needs_target = False

    def from_table(self, frame: Any, roles: Any, *, name: str, with_target: bool = True) -> TaskData:
        found = super().from_table(frame, replace(roles, target=()), name=name, with_target=False)
        return replace(found, X=np.array([x.mean(axis=0) for x in found.X]), roles=roles)

    def split(self, estimator: Any, data: TaskData, *, test_size: Any, seed: int) -> Any:
        order = np.random.default_rng(seed).permutation(len(data.X))
        n_test = test_size if isinstance(test_size, int) else round(test_size * len(order))
        return replace(data, X=data.X[order[n_test:]]), replace(data, X=data.X[order[:n_test]])

    def estimator(self, params: Any) -> Any:
        return GaussianMixture(**{"n_components": 2, "random_state": 0, **params})

    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        return {"density": float(estimator.score(data.X))}


def test_a_task_of_two_methods_passes_and_says_what_does_not_apply() -> None:
    report = check_task(Screen)
    skipped = {result.name: result.message for result in report.results if result.status == "skipped"}
    assert skipped == {
        "baselines_have_the_metrics": "it has no baselines",
        "pictures_are_figures": "it has no pictures",
        "epoch_pictures_are_drawn_in_training": "it has no pictures of epochs",
        "targets_are_needed_only_if_said": "it needs targets",
    }


def test_a_task_without_targets_passes_also_as_an_instance() -> None:
    assert check_task(Clusters())["targets_are_needed_only_if_said"].status == "passed"


def test_a_task_for_other_data_needs_some() -> None:
    with pytest.raises(ValueError, match="makes no data for .*TranslateTask.* Pass a table and its roles"):
        check_task(TranslateTask)


def test_an_estimator_without_parameters_is_not_searched() -> None:
    report = check_task(NoScore, include=["runs_in_a_recipe", "runs_in_a_search"])
    assert report["runs_in_a_search"].message == "its estimator has no parameter to search"


def test_an_unknown_check_is_refused() -> None:
    with pytest.raises(
        UnknownNameError, match=r"check_task has no check 'folds_disjoint'\. Did you mean 'folds_are_dis"
    ):
        check_task(ClassifyTask, include=["folds_disjoint"])


# ---- planted faults


class Unequal(ClassifyTask):
    def from_table(self, frame: Any, roles: Any, **options: Any) -> TaskData:
        found = super().from_table(frame, roles, **options)
        return replace(found, y=None if found.y is None else found.y[1:])


class Flat(Screen):
    """Its estimator takes no sequences."""

    def estimator(self, params: Any) -> Any:
        return GaussianMixture(**params)


class OneForAll(ClassifyTask):
    made = SequenceClassifier(hidden_size=4, max_epochs=2, random_state=0)

    def estimator(self, params: Any) -> Any:
        return self.made


class IgnoresParams(ClassifyTask):
    def estimator(self, params: Any) -> Any:
        return super().estimator({**params, "hidden_size": 3})


class OtherNames(ClassifyTask):
    def parameter(self, name: str) -> str:
        return f"model__{name}"


class LosesOne(ClassifyTask):
    def split(self, estimator: Any, data: TaskData, **options: Any) -> Any:
        train, test = super().split(estimator, data, **options)
        return replace(train, X=train.X[1:], y=train.y[1:]), test


class TrainsOnAll(ClassifyTask):
    def split(self, estimator: Any, data: TaskData, **options: Any) -> Any:
        return data, super().split(estimator, data, **options)[1]


class MixesTargets(ClassifyTask):
    def split(self, estimator: Any, data: TaskData, **options: Any) -> Any:
        train, test = super().split(estimator, data, **options)
        return replace(train, y=train.y[::-1]), test


class AlwaysHalf(ClassifyTask):
    def split(self, estimator: Any, data: TaskData, *, test_size: Any, seed: int) -> Any:
        return super().split(estimator, data, test_size=0.5, seed=seed)


class ForgetsInts(ClassifyTask):
    def split(self, estimator: Any, data: TaskData, *, test_size: Any, seed: int) -> Any:
        cut = max(0, int(len(data.X) * (1 - test_size)))
        parts = (slice(None, cut), slice(cut, None))
        return tuple(replace(data, X=data.X[part], y=data.y[part]) for part in parts)


class IgnoresSeed(ClassifyTask):
    def split(self, estimator: Any, data: TaskData, *, test_size: Any, seed: int) -> Any:
        return super().split(estimator, data, test_size=test_size, seed=np.random.default_rng().integers(2**31))


class DrawsFolds(ClassifyTask):
    def cv(self, estimator: Any, data: TaskData, *, n_splits: int, seed: int) -> Any:
        return ShuffleSplit(n_splits, test_size=0.5, random_state=seed)


class TestsOnTraining(KFold):
    __test__ = False

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Any:
        for _, test in super().split(X, y, groups):
            yield np.arange(len(X)), test


class LeakyFolds(ClassifyTask):
    def cv(self, estimator: Any, data: TaskData, *, n_splits: int, seed: int) -> Any:
        return TestsOnTraining(n_splits)


class TwoFolds(ClassifyTask):
    def cv(self, estimator: Any, data: TaskData, *, n_splits: int, seed: int) -> Any:
        return KFold(2)


class NotANumber(Screen):
    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        return {"share": float("nan")}


class Draws(Screen):
    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        return {"share": float(np.random.default_rng().random())}


class NamesBySize(Screen):
    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        return {f"of_{len(data.X)}": 1.0}


class OtherBaseline(ClassifyTask):
    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> Any:
        return {"chance": {"accuracy": 0.5}}


class NoSuchBaseline(ClassifyTask):
    constant_baseline = "coin"


class NoFileName(ClassifyTask):
    def pictures(self, estimator: Any, train: TaskData, test: TaskData) -> Any:
        return {"train/test": Figure()}


class FittedOnly(ClassifyTask):
    """Reads what an estimator has after its fit only."""

    def epoch_pictures(self, estimator: Any, test: TaskData) -> Any:
        return {f"after {estimator.n_iter_}": Figure()}


class NoKey(ClassifyTask):
    def epoch_pictures(self, estimator: Any, test: TaskData) -> Any:
        return {"a+b": Figure()}


class SkipsARow(ClassifyTask):
    def predictions(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        return super().predictions(estimator, data).iloc[1:]


class ReadsTargets(ClassifyTask):
    def predictions(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        return super().predictions(estimator, data).assign(known=data.y is not None)


class KeepsTheSign(ClassifyTask):
    error_scores: ClassVar[Mapping[str, str]] = {"missed": "missed"}
    metric_modules: ClassVar[tuple[str, ...]] = ()

    def scorer(self, name: str | None) -> Any:
        return (lambda estimator, X, y: 1.0) if name == "missed" else super().scorer(name)


class Nearest(BaseEstimator):
    """Has no score."""

    def fit(self, X: Any, y: Any) -> Any:
        self.label_ = min(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.array([self.label_] * len(X))


class NoScore(Screen):
    def estimator(self, params: Any) -> Any:
        return Nearest()


class KeepsItsSplit(Screen):
    def split(self, estimator: Any, data: TaskData, **options: Any) -> Any:
        train, test = super().split(estimator, data, **options)
        self.n_train = len(train.X)
        return train, test

    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        return {"n_train": float(self.n_train)}


class KeepsItsBaselines(Screen):
    seen = 0

    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> Any:
        self.seen = len(train.X)
        return {}

    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        return {"seen": float(self.seen)}


class AddsAColumn(ClassifyTask):
    def from_table(self, frame: Any, roles: Any, **options: Any) -> TaskData:
        frame["row"] = np.arange(len(frame))
        return super().from_table(frame, roles, **options)


class SortsTargets(ClassifyTask):
    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> Any:
        found = super().baselines(estimator, train, test)
        train.y.sort()
        return found


class LosesPart(SequenceClassifier):
    """Leaves behind, when pickled, something that predict needs."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        self.labels_ = np.unique(y)
        return super().fit(X, y, sample_weight)

    def predict(self, X: Any) -> Any:
        return super().predict(X) if hasattr(self, "labels_") else np.array(["lost"] * len(X))

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__getstate__().items() if key != "labels_"}


class NotPickled(Screen):
    def estimator(self, params: Any) -> Any:
        return LosesPart(**params)


class SaysNoTargets(Screen):
    needs_target = False


class NeedsAll(Screen):
    """Cannot be created with one parameter of several, as recipes are checked."""

    def estimator(self, params: Any) -> Any:
        return super().estimator({"max_epochs": params["max_epochs"], **params})


class ManyFolds(Screen):
    def cv(self, estimator: Any, data: TaskData, *, n_splits: int, seed: int) -> Any:
        if n_splits < 3:
            raise ValueError("fewer than three folds are not enough.")
        return super().cv(estimator, data, n_splits=n_splits, seed=seed)


#: The check that finds each fault, and words of its message.
FAULTS: dict[Any, tuple[str, str]] = {
    Unequal: ("data_is_read_and_fitted", r"from_table\(\) must return as many targets as samples. Got 30 samples and 29"),
    Flat: ("data_is_read_and_fitted", "The estimator of the task is not fitted to its data: "),
    OneForAll: ("estimator_follows_scikit_learn", "returns the same object twice: create a new one"),
    IgnoresParams: ("estimator_follows_scikit_learn", "has hidden_size=3: pass the parameters on"),
    OtherNames: ("estimator_follows_scikit_learn", "'hidden_size' is 'model__hidden_size' of the estimator, which has none"),
    LosesOne: ("split_keeps_every_sample", "With test_size=0.25 1 of 30 samples, or their targets, are in neither part"),
    TrainsOnAll: ("split_keeps_every_sample", "With test_size=0.25 8 samples are in both parts"),
    MixesTargets: ("split_keeps_every_sample", "split X and y by the same rows"),
    AlwaysHalf: ("split_keeps_every_sample", "test_size=6 holds 15 samples out: an int is the number of samples"),
    IgnoresSeed: ("split_keeps_every_sample", "the same seed gives other parts: draw random numbers from seed alone"),
    DrawsFolds: ("folds_are_disjoint", "as an earlier fold does: test sets must be disjoint"),
    LeakyFolds: ("folds_are_disjoint", "Fold 0 is fitted to sample 0, which it is tested on: use a splitter such as KFold"),
    ForgetsInts: ("split_keeps_every_sample", "With test_size=6 one part is empty: a float is a share of the samples"),
    TwoFolds: ("folds_are_disjoint", r"cv\(n_splits=3\) gives 2 folds: create the splitter with n_splits"),
    NotANumber: ("metrics_are_finite_numbers", "share=nan: return a finite number also for a poor model"),
    Draws: ("metrics_are_finite_numbers", "when called again, .*: draw no random numbers"),
    NamesBySize: ("metrics_are_finite_numbers", r"\['of_8'\] for held-out data and \['of_22'\] for training data: return the sa"),
    OtherBaseline: ("baselines_have_the_metrics", "'chance' has .*: compute both by one function"),
    NoSuchBaseline: ("baselines_have_the_metrics", "constant_baseline is 'coin', which is none of"),
    NoFileName: ("pictures_are_figures", "'train/test' cannot be the name of a file: use letters"),
    FittedOnly: ("epoch_pictures_are_drawn_in_training", r"failed in epoch_pictures\(\): AttributeError: .*n_iter_"),
    NoKey: ("epoch_pictures_are_drawn_in_training", r"'a\+b' cannot be logged by epoch: use ASCII letters"),
    SkipsARow: ("predictions_have_a_row_each", "has 7 rows for 8 samples of .* steps: return a row for each"),
    ReadsTargets: ("predictions_have_a_row_each", "differ if y is None: they must not depend on the targets"),
    KeepsTheSign: ("scores_rank_candidates", r"scorer\('missed'\) scores a candidate 1: negate errors"),
    NoScore: ("scores_rank_candidates", r"the estimator needs a method score\(\)"),
    KeepsItsSplit: ("nothing_is_kept_between_calls", "Another instance fails: .* read settings from the estimator"),
    KeepsItsBaselines: ("nothing_is_kept_between_calls", "After a fit to other data the metrics are"),
    AddsAColumn: ("data_is_not_changed", r"from_table\(\) changes the table: work on a copy"),
    SortsTargets: ("data_is_not_changed", r"baselines\(\) changes X or y of the data: work on a copy"),
    NotPickled: ("fitted_estimators_are_pickled", "After pickling the predictions differ: keep all that predict reads"),
    SaysNoTargets: ("targets_are_needed_only_if_said", "without targets it fails: .* Set needs_target=True"),
    NeedsAll: ("runs_in_a_recipe", r"A recipe fails: .* failed in estimator\(\): KeyError: 'max_epochs'"),
    ManyFolds: ("runs_in_a_search", "A recipe with search: fails: .* fewer than three folds are not enough"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_found_and_named(fault: type[Task]) -> None:
    check, words = FAULTS[fault]
    params = {"max_epochs": 1, "hidden_size": 2, "random_state": 0} if fault is NeedsAll else None
    with pytest.raises(CheckError, match=words):
        check_task(fault, include=[check], params=params)


def test_every_check_finds_a_fault() -> None:
    assert {check for check, _ in FAULTS.values()} == {check.name for check in TASK_CHECKS}


@pytest.mark.parametrize(
    "fault",
    [IgnoresParams, DrawsFolds, NoSuchBaseline, NoFileName, SkipsARow, KeepsTheSign, KeepsItsSplit, SortsTargets],
)
def test_only_the_check_of_the_fault_fails(fault: type[Task]) -> None:
    report = check_task(fault, exclude=["runs_in_a_search"], raise_exceptions=False)
    assert [result.name for result in report.failed] == [FAULTS[fault][0]]


def test_nothing_is_offered_after_a_run() -> None:
    from seqpipe.plugins import host

    check_task(ClassifyTask, include=["runs_in_a_recipe"])
    assert "checked_task" not in host().names("task")
    assert "checked_data" not in host().names("reader")
