"""Scores of folds, of which callbacks are notified while a search runs."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqpipe.callbacks import CallbackSupportMixin, FitListener, FitTask, reported, reports_score, with_callbacks

pytestmark = pytest.mark.live_tree

rng = np.random.default_rng(0)
X, y = rng.normal(size=(23, 2)), rng.integers(2, size=23)


class Scores(FitListener):
    """Keeps what it is notified of."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str, float]] = []

    def scored(self, estimator: Any, task: FitTask, scores: dict[str, float]) -> None:
        self.found += [(task.path[-1][1], name, value) for name, value in scores.items()]


class Guess(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Predicts one label; its own score is reported, as those of seqpipe's estimators are."""

    def __init__(self, label=0, fail=None):
        self.label = label
        self.fail = fail

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        context = self._init_callback_context().call_on_fit_task_begin(estimator=self, X=X, y=y)
        if self.fail is not None:
            raise self.fail
        self.classes_ = np.unique(y)
        context.call_on_fit_task_end(estimator=self)
        return self

    def predict(self, X):
        return np.full(len(X), self.label)

    @reports_score
    def score(self, X, y, sample_weight=None):
        return accuracy_score(y, self.predict(X), sample_weight=sample_weight)


def searched(scoring, **options):
    """Return a fitted search, and what its callback was notified of."""
    scores = Scores()
    settings = {"cv": 3, "refit": False, "scoring": scoring, **options}
    search = GridSearchCV(Guess(), {"label": [0, 1]}, **settings).set_callbacks(scores)
    return search.fit(X, y), sorted(scores.found)


def in_results(search):
    """Return the scores of each fold in the results of a search."""
    names = [name for name in search.cv_results_ if name.startswith("split")]
    parts = [(name, int(name[5]), name.partition("_")[2]) for name in names]
    columns = search.cv_results_
    return sorted((3 * i + fold, short, columns[name][i]) for name, fold, short in parts for i in range(2))


def two_scores(estimator, X, y):
    return {"a": -estimator.score(X, y), "b": 1}


def weighted(estimator, X, y, sample_weight=None):
    return estimator.score(X, y, sample_weight)


SEVERAL = ["accuracy", "balanced_accuracy"]


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    ("plain", "live"),
    [
        (None, None),
        ("accuracy", reported("accuracy")),
        (two_scores, reported(two_scores)),
        (SEVERAL, reported(SEVERAL)),
        ({"x": "accuracy", "y": make_scorer(accuracy_score)}, reported({"x": "accuracy", "y": reported("accuracy")})),
    ],
)
@pytest.mark.parametrize("return_train_score", [False, True])
def test_each_fold_notifies_of_the_scores_that_the_search_has_at_its_end(plain, live, return_train_score, n_jobs):
    with parallel_config(backend="threading", n_jobs=n_jobs):
        search, found = searched(live, return_train_score=return_train_score)
        usual, _ = searched(plain, return_train_score=return_train_score)
    assert found == in_results(search) == in_results(usual)


@pytest.mark.parametrize("scoring", ["accuracy", SEVERAL, lambda estimator, X, y: -estimator.score(X, y)])
def test_a_scorer_that_is_not_reported_notifies_of_nothing(scoring):
    assert searched(scoring)[1] == []


@pytest.mark.parametrize("scoring", [None, reported("accuracy")])
def test_scores_after_the_search_notify_of_nothing(scoring):
    search, found = searched(scoring, refit=True)
    callback = search._skl_callbacks[0]
    search.score(X, y)
    search.best_estimator_.score(X, y)
    reported("accuracy")(search.best_estimator_, X, y)
    assert sorted(callback.found) == found
    assert len(found) == 6


@pytest.mark.parametrize("scoring", [None, reported("accuracy")])
def test_what_callbacks_score_is_not_the_score_of_the_fold(scoring):
    class Curious(Scores):
        def ended(self, estimator, task, metadata):
            if not task.is_fold:
                return
            reported("accuracy")(estimator, X, y)
            estimator.score(X, y)

        def scored(self, estimator, task, scores):
            super().scored(estimator, task, scores)
            self.ended(estimator, task, {})

    callbacks = [Scores(), Curious(), Scores()]
    search = GridSearchCV(Guess(), {"label": [0, 1]}, cv=3, scoring=scoring, refit=False)
    search.set_callbacks(*callbacks).fit(X, y)
    assert [sorted(each.found) for each in callbacks] == [in_results(search)] * 3


@pytest.mark.parametrize("scoring", [None, reported("accuracy")])
def test_the_last_step_of_a_pipeline_is_scored_for_the_fold(scoring):
    scores = Scores()
    search = GridSearchCV(make_pipeline(StandardScaler(), Guess()), {"guess__label": [0, 1]}, cv=3, scoring=scoring)
    search.set_callbacks(scores).fit(X, y)
    assert sorted(scores.found) == in_results(search)


@pytest.mark.parametrize("outer", [None, "accuracy", reported("accuracy")])
def test_folds_of_a_search_within_a_search_notify_of_nothing(outer):
    scores = Scores()
    inner = GridSearchCV(Guess(), {"label": [0, 1]}, cv=2, scoring=reported("accuracy"))
    search = GridSearchCV(inner, {"estimator__fail": [None, None]}, cv=3, scoring=outer).set_callbacks(scores)
    search.fit(X, y)
    assert sorted(scores.found) == (in_results(search) if outer is not None and outer != "accuracy" else [])


@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_a_fold_that_fails_notifies_of_nothing():
    scores = Scores()
    search = GridSearchCV(Guess(), {"fail": [None, ValueError("no")]}, cv=3, refit=False).set_callbacks(scores)
    with pytest.warns(FitFailedWarning, match="fits failed"):
        search.fit(X, y)
    assert [fold for fold, _, _ in scores.found] == [0, 1, 2]


@pytest.mark.parametrize("scoring", ["accuracy", SEVERAL, weighted])
def test_weights_and_the_copies_of_workers_are_those_of_the_scorer(scoring):
    weight = rng.random(23)
    found = [
        GridSearchCV(Guess(), {"label": [0, 1]}, cv=3, refit=False, scoring=each).fit(X, y, sample_weight=weight)
        for each in (scoring, pickle.loads(pickle.dumps(reported(scoring))))
    ]
    assert in_results(found[0]) == in_results(found[1])


@pytest.mark.parametrize(
    ("scoring", "error", "message"),
    [
        (None, TypeError, "must not be None. Omit it"),
        ("acuracy", ValueError, "acuracy"),
        (["acuracy"], ValueError, "acuracy"),
        (accuracy_score, ValueError, "looks like it is a metric"),
    ],
)
def test_what_is_no_scorer_is_refused_at_once(scoring, error, message):
    with pytest.raises(error, match=message):
        reported(scoring)
