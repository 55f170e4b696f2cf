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
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

import seqpipe
from seqpipe import (
    Cell,
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
from seqpipe.estimators._listeners import SilentListeners
from seqpipe.estimators.targets import Labels, MultiLabels
from seqpipe.exceptions import DivergenceWarning
from seqpipe.testing import check_estimator
from seqpipe.training import GradientGuard

#: Two epochs are not enough to be better than a constant.
pytestmark = pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")
SHORT = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}
rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 2)) for n in rng.integers(3, 9, size=40)]
MEANS = np.array([x[:, 0].mean() for x in X])
LABELS = np.where(MEANS > 0, "up", "down")


class Halved(torch.optim.SGD):
    """Takes half of each step."""

    def __init__(self, params: Any, lr: float = 0.01) -> None:
        super().__init__(params, lr=lr / 2)


class Normed(Cell):
    """A plain cell with normalized weights."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.layer = weight_norm(nn.Linear(input_size + hidden_size, hidden_size))

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.layer(torch.cat([x, h], dim=1)))
        return h, h


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


def check_members_equal_single_fits(fitted: Any, X: Any, y: Any) -> None:
    """Check that every member has the weights and losses of a fit of its own, up to rounding in float64."""
    assert len({member.random_state for member in fitted.members_}) == len(fitted.members_) == 3
    for member in fitted.members_:
        alone = clone(member).fit(X, y)
        assert alone.members_ == []
        assert member.n_iter_ == alone.n_iter_
        alike([e["train_loss"] for e in member.history_], [e["train_loss"] for e in alone.history_], rtol=1e-9)
        weights, expected = (each.net_.module_.state_dict() for each in (member, alone))
        alike(weights.values(), expected.values(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_a_member_is_the_estimator_fitted_alone_with_its_seed(name: str) -> None:
    check_members_equal_single_fits(ensemble(name, dtype="float64"), X, CASES[name][1])


#: Settings with a network, an update or an end of training of their own.
SETTINGS: dict[str, dict[str, Any]] = {
    "both directions, stacked": {"cell": "lstm", "bidirectional": True, "num_layers": 2},
    "no engine for several cells": {"engine": "loop"},
    "activations computed again": {"memory": "recompute"},
    "learned initial states": {"initial_state": "learned"},
    "attention": {"pooling": "attention"},
    "patches": {"patch": (3, 2)},
    "scaling per sequence": {"scale_inputs": "both"},
    "unlike numbers of batches": {"batch_size": 7, "early_stopping": True, "class_weight": "balanced"},
    "learning rates of their own": {"lr_schedule": "ReduceLROnPlateau", "lr": 0.3, "max_epochs": 25},
    "unlike ends of training": {"early_stopping": True, "n_iter_no_change": 1, "max_epochs": 20, "lr": 0.1},
    "an optimizer by layers": {"optimizer": "Adafactor"},
    "an optimizer of the user": {"optimizer": Halved},
    "parametrized weights": {"cell": Normed},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_members_with_unusual_settings_are_fits_alone_too(name: str) -> None:
    check_members_equal_single_fits(ensemble("labels", dtype="float64", **SETTINGS[name]), X, LABELS)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("threads", [1, 2])
def test_compiled_members_are_fits_alone_too(threads: int) -> None:
    torch.set_num_threads(threads)
    settings = {"cell": "lstm", "bidirectional": True, "num_layers": 2}
    check_members_equal_single_fits(ensemble("labels", dtype="float64", **settings), X, LABELS)


def test_members_end_training_each_at_its_own_epoch() -> None:
    fitted = ensemble("labels", **SETTINGS["unlike ends of training"])
    assert len({member.n_iter_ for member in fitted.members_}) > 1


def test_members_read_tokens_each_by_its_own_embedding() -> None:
    tokens = [(x[:, :1] * 10).astype(int) % 4 for x in X]
    model = SequenceClassifier(**SHORT, embedding=3, dtype="float64", n_members=3).fit(tokens, LABELS)
    check_members_equal_single_fits(model, tokens, LABELS)


def test_truncated_members_are_fits_alone_too() -> None:
    name = "numbers of steps"
    check_members_equal_single_fits(ensemble(name, tbptt=(3, 3), dtype="float64"), X, CASES[name][1])


def test_weights_of_samples_count_in_every_member() -> None:
    weight = rng.uniform(0.5, 2, size=len(X))
    fitted = clone(CASES["numbers"][0]).set_params(n_members=2, dtype="float64").fit(X, MEANS, sample_weight=weight)
    alone = clone(fitted.members_[1]).fit(X, MEANS, sample_weight=weight)
    np.testing.assert_allclose(fitted.members_[1].predict(X), alone.predict(X), rtol=1e-6)


def test_a_member_that_diverges_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = GradientGuard.judge
    judged: list[GradientGuard] = []

    def third_update_of_the_second_is_bad(guard: GradientGuard, loss: float, norm: float, weight_norm: float) -> float:
        judged.append(guard)
        bad = len(judged) > 1 and guard is judged[1] and guard.n_updates_ == 2
        return judge(guard, np.nan if bad else loss, norm, weight_norm)

    monkeypatch.setattr(GradientGuard, "judge", third_update_of_the_second_is_bad)
    with pytest.warns(DivergenceWarning, match="stopped at update 3, in epoch 2: the loss is not finite"):
        fitted = ensemble("labels", batch_size=20)
    assert [len(member.history_) for member in fitted.members_] == [2, 1, 2]
    assert np.isfinite(fitted.predict_proba(X)).all()


def test_dropout_draws_for_all_members_and_repeats_with_the_seed() -> None:
    fitted = ensemble("labels", dropout=0.5)
    np.testing.assert_array_equal(fitted.predict_proba(X), ensemble("labels", dropout=0.5).predict_proba(X))
    assert not np.allclose(fitted.predict_proba(X), ensemble("labels").predict_proba(X))
    assert not any(module.training for module in fitted.net_.module_.modules())


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


def test_every_member_stops_when_the_fit_has_ended() -> None:
    stop = threading.Event()
    listeners = _MemberListeners(stop, SilentListeners())
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
