"""Ensembles: members equal to fits alone, averaged predictions, streams, persistence."""

from __future__ import annotations

import copy
import pickle
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

import seqpipe
from seqpipe import (
    Forecaster,
    SequenceClassifier,
    SequenceRegressor,
    SlidingWindowClassifier,
    SlidingWindowRegressor,
    StepClassifier,
    StepRegressor,
    WindowedRegressor,
)
from seqpipe.callbacks import FitListener, FitTask
from seqpipe.estimators._ensemble import _MemberListeners
from seqpipe.estimators.targets import Labels, MultiLabels
from seqpipe.testing import check_estimator

#: Two epochs are not enough to be better than a constant.
pytestmark = pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")
SHORT = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}
rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 2)) for n in rng.integers(3, 9, size=40)]
MEANS = np.array([x[:, 0].mean() for x in X])
LABELS = np.where(MEANS > 0, "up", "down")
CASES: dict[str, tuple[Any, Any]] = {
    "labels": (SequenceClassifier(**SHORT), LABELS),
    "several labels": (SequenceClassifier(**SHORT), np.stack([MEANS > 0, MEANS > 0.2], axis=1).astype(int)),
    "numbers": (SequenceRegressor(**SHORT, early_stopping=True), MEANS),
    "several numbers": (SequenceRegressor(**SHORT), np.stack([MEANS, -MEANS], axis=1)),
    "labels of steps": (StepClassifier(**SHORT), [(x[:, 0] > 0).astype(int) for x in X]),
    "numbers of steps": (StepRegressor(**SHORT), [x[:, 0].cumsum() for x in X]),
}


NUMBERS = SequenceRegressor(**SHORT, n_members=3, dtype="float64")
SERIES = rng.normal(size=(60, 2))
OVER_WINDOWS: dict[str, tuple[Any, tuple[Any, ...], tuple[Any, ...]]] = {
    "forecasts": (Forecaster(NUMBERS, window=8, horizon=4, blend=False), (SERIES[:, 0],), ()),
    "numbers of rows": (WindowedRegressor(NUMBERS, window=5), (SERIES, SERIES[:, 0]), (SERIES[:9],)),
    "numbers of windows": (SlidingWindowRegressor(NUMBERS, window=3), (X, MEANS), (X,)),
    "labels of windows": (
        SlidingWindowClassifier(SequenceClassifier(**SHORT, n_members=3, dtype="float64"), window=3),
        (X, LABELS),
        (X,),
    ),
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Limit torch to one thread: the split of a batch determines the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def ensemble(name: str, **more: Any) -> Any:
    model, y = CASES[name]
    return clone(model).set_params(n_members=3, **more).fit(X, y)


def alike(found: Any, expected: Any, **tolerance: Any) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), **tolerance)


@pytest.mark.parametrize("name", CASES)
def test_a_member_is_the_estimator_fitted_alone_with_its_seed(name: str) -> None:
    fitted = ensemble(name)
    seeds = [member.random_state for member in fitted.members_]
    assert len(set(seeds)) == 3
    for member in fitted.members_:
        alone = clone(CASES[name][0]).set_params(random_state=member.random_state).fit(X, CASES[name][1])
        for one, other in zip(member.net_.module_.parameters(), alone.net_.module_.parameters(), strict=True):
            assert torch.equal(one, other)
        assert [e["train_loss"] for e in member.history_] == [e["train_loss"] for e in alone.history_]


@pytest.mark.parametrize("name", CASES)
def test_predictions_are_the_average_of_those_of_the_members(name: str) -> None:
    fitted = ensemble(name)
    members = fitted.member_predictions(X)
    whole = fitted.predict_proba(X) if hasattr(fitted, "predict_proba") else fitted.predict(X)
    if name.endswith("of steps"):
        averages = [np.mean([member[i] for member in members], axis=0) for i in range(len(X))]
    else:
        averages = np.mean([np.asarray(member) for member in members], axis=0)
    alike(whole, averages, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OVER_WINDOWS)
def test_an_estimator_over_windows_averages_the_networks_inside(name: str) -> None:
    model, data, given = OVER_WINDOWS[name]
    fitted = clone(model).fit(*data)
    of_each = []
    for member in fitted.estimator_.members_:
        alone = copy.copy(fitted)
        alone.estimator_ = member
        of_each.append(getattr(alone, "predict_proba", alone.predict)(*given))
    assert len(of_each) == 3
    assert np.std(of_each, axis=0).max() > 1e-4
    whole = getattr(fitted, "predict_proba", fitted.predict)(*given)
    np.testing.assert_allclose(whole, np.mean(of_each, axis=0), rtol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_a_stream_gives_the_prediction_on_the_steps_so_far(name: str) -> None:
    fitted = ensemble(name, dtype="float64")
    stream = fitted.stream()
    pushed = [stream.push(step) for step in X[0]]
    assert stream.n_steps == len(X[0])
    if name.endswith("of steps"):
        expected = list(fitted.predict(X[:1])[0])
    else:
        expected = [fitted.predict([X[0][: t + 1]])[0] for t in range(len(X[0]))]
    for one, other in zip(pushed, expected, strict=True):
        if np.asarray(one).dtype.kind == "f":
            np.testing.assert_allclose(one, other, rtol=1e-9)
        else:
            np.testing.assert_array_equal(one, other)
    stream.reset()
    np.testing.assert_array_equal(stream.push(X[0][0]), pushed[0])


def test_chunks_of_steps_are_streamed_as_single_ones() -> None:
    stream = ensemble("numbers of steps").stream()
    whole = stream.push(X[0])
    stream.reset()
    np.testing.assert_allclose([stream.push(step) for step in X[0]], whole, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["labels", "numbers of steps"])
def test_a_loaded_ensemble_predicts_the_same_bits(name: str, tmp_path: Path) -> None:
    fitted = ensemble(name)
    seqpipe.save(fitted, tmp_path / "model")
    for loaded in (pickle.loads(pickle.dumps(fitted)), seqpipe.load(tmp_path / "model")):
        method = "predict_proba" if name == "labels" else "predict"
        alike(getattr(loaded, method)(X), getattr(fitted, method)(X), rtol=0, atol=0)
        assert loaded.net_ is loaded.members_[0].net_
        assert [m.random_state for m in loaded.members_] == [m.random_state for m in fitted.members_]


def test_a_state_with_members_of_another_type_is_refused() -> None:
    state = ensemble("labels").__getstate__()
    state["members_"] = ensemble("numbers").members_
    with pytest.raises(ValueError, match="has members of another type"):
        SequenceClassifier.__new__(SequenceClassifier).__setstate__(state)


@pytest.mark.parametrize("name", ["labels", "numbers of steps"])
def test_an_ensemble_keeps_the_contract(name: str) -> None:
    check_estimator(clone(CASES[name][0]).set_params(n_members=2))


def test_a_fit_that_continues_trains_every_member() -> None:
    model = clone(CASES["labels"][0]).set_params(n_members=2)
    for _ in range(3):
        model.partial_fit(X, LABELS)
    assert [len(member.history_) for member in model.members_] == [3, 3]
    assert model.n_iter_ == 3
    model.set_params(warm_start=True, n_members=3)
    with pytest.raises(ValueError, match=r"Got n_members=3 after a fit with 2\. Fit with warm_start=False"):
        model.fit(X, LABELS)


def test_a_fit_again_with_one_network_has_no_members() -> None:
    model = ensemble("labels").set_params(n_members=1).fit(X, LABELS)
    assert model.members_ == []
    np.testing.assert_array_equal(model.predict_proba(X), clone(CASES["labels"][0]).fit(X, LABELS).predict_proba(X))


def test_what_describes_a_network_is_that_of_the_first_and_its_size_of_all() -> None:
    fitted = ensemble("labels")
    assert fitted.history_ is fitted.members_[0].history_
    assert fitted.n_parameters_ == 3 * fitted.members_[0].n_parameters_


class Told(FitListener):
    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[int] = []

    def ended(self, estimator: Any, task: FitTask, metadata: dict[str, Any]) -> None:
        if "epoch" in metadata:
            self.epochs.append(metadata["epoch"])


def test_callbacks_are_notified_of_the_first_network() -> None:
    told = Told()
    seqpipe.callbacks.fit_with_callbacks(SequenceClassifier(**SHORT, n_members=3), [told], X, LABELS)
    assert told.epochs == [1, 2]


class Quiet:
    """The task of a fit, as the first member notifies it."""

    def epoch(self, record: Any) -> bool:
        return False


@pytest.mark.parametrize("notified", [None, Quiet()])
def test_every_member_stops_when_the_fit_has_ended(notified: Any) -> None:
    stop = threading.Event()
    listeners = _MemberListeners(stop, notified)
    assert not listeners.epoch({"epoch": 1})
    stop.set()
    assert listeners.epoch({"epoch": 2})


def test_members_end_with_the_fit_that_failed() -> None:
    begun = threading.Event()

    class Failing(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            if not begun.is_set():
                begun.set()
                raise RuntimeError("the disk is full")

    before = threading.active_count()
    model = SequenceClassifier(**{**SHORT, "max_epochs": 10**6}, n_members=2, net_params={"callbacks": [Failing()]})
    torch.set_num_threads(2)
    with pytest.raises(RuntimeError, match="the disk is full"):
        model.fit(X, LABELS)
    deadline = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() <= before


def test_the_number_of_networks_is_searched() -> None:
    search = GridSearchCV(SequenceClassifier(**SHORT), {"n_members": [1, 2]}, cv=2).fit(X, LABELS)
    assert len(search.best_estimator_.members_) in (0, 2)


def test_the_average_is_one_of_probabilities() -> None:
    logits = [rng.normal(size=(5, 3)) * 5 for _ in range(4)]
    labels = Labels(1, np.arange(3))
    mean = np.mean([labels.probabilities(each) for each in logits], axis=0)
    np.testing.assert_allclose(labels.probabilities(labels.average(logits)), mean)
    several = MultiLabels(2, 3)
    applies = np.mean([1 / (1 + np.exp(-each)) for each in logits], axis=0)
    np.testing.assert_allclose(1 / (1 + np.exp(-several.average(logits))), applies)
