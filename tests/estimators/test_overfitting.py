"""The default of early stopping: by a trial fit of classifiers of sequences, by the amount of data elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback

import seqpipe
from seqpipe import SequenceClassifier, SequenceRegressor, StepClassifier, StepRegressor, Windows
from seqpipe.callbacks import FitListener, FitTask

#: Stopping at noise is what a constant prediction is compared with.
pytestmark = pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")
SMALL = {"hidden_size": 8, "random_state": 0}
#: The shortest fit with a trial: of six epochs with thirty updates each.
TRIED = {**SMALL, "max_epochs": 15, "batch_size": 8}
rng = np.random.default_rng(0)
X = rng.normal(size=(240, 6, 2))
NOISE = rng.integers(2, size=240)
SIGNAL = (X[:, :, 0].sum(axis=1) > 0).astype(int)


def stopped(model: Any) -> bool:
    return "valid_loss" in model.history_[0]


def test_a_classifier_that_memorises_noise_stops_early() -> None:
    found = SequenceClassifier(**SMALL, max_epochs=60).fit(X, NOISE)
    assert stopped(found)
    same = SequenceClassifier(**SMALL, max_epochs=60, early_stopping=True).fit(X, NOISE)
    np.testing.assert_array_equal(found.predict_proba(X), same.predict_proba(X))


def test_a_classifier_that_learns_is_fitted_to_all_samples() -> None:
    found = SequenceClassifier(**SMALL, max_epochs=60).fit(X, SIGNAL)
    assert not stopped(found)
    same = SequenceClassifier(**SMALL, max_epochs=60, early_stopping=False).fit(X, SIGNAL)
    np.testing.assert_array_equal(found.predict_proba(X), same.predict_proba(X))


def test_a_classifier_that_has_not_learned_yet_is_not_stopped() -> None:
    assert not stopped(SequenceClassifier(**SMALL, max_epochs=60, lr=1e-6).fit(X, NOISE))


@pytest.mark.parametrize(
    "data",
    [
        (X[:199], NOISE[:199]),
        (Windows(rng.normal(size=(300, 1)), np.arange(240), 8), NOISE),
    ],
    ids=["few", "windows"],
)
def test_without_samples_to_spare_there_is_no_trial(data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SequenceClassifier, "_trial_overfits", lambda *_: pytest.fail("a trial was made"))
    assert not stopped(SequenceClassifier(**TRIED).fit(*data))


def test_a_fit_of_few_updates_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SequenceClassifier, "_trial_overfits", lambda *_: pytest.fail("a trial was made"))
    assert not stopped(SequenceClassifier(**{**TRIED, "max_epochs": 11}).fit(X, NOISE))
    monkeypatch.setattr(SequenceClassifier, "_trial_overfits", lambda *_: True)
    assert stopped(SequenceClassifier(**TRIED).fit(X, NOISE))


def test_another_criterion_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SequenceClassifier, "_trial_overfits", lambda *_: pytest.fail("a trial was made"))
    model = SequenceClassifier(**TRIED, net_params={"criterion": torch.nn.MultiMarginLoss})
    assert not stopped(model.fit(X, NOISE))


def test_a_fit_that_continues_makes_no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    model = SequenceClassifier(**SMALL, max_epochs=1, warm_start=True).partial_fit(X, NOISE)
    monkeypatch.setattr(SequenceClassifier, "_trial_overfits", lambda *_: pytest.fail("a trial was made"))
    assert not stopped(model.partial_fit(X, NOISE).fit(X, NOISE))


class Epochs(FitListener):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def ended(self, estimator: Any, task: FitTask, metadata: dict[str, Any]) -> None:
        if "epoch" in metadata:
            self.seen.append(metadata["epoch"])


def test_a_trial_is_not_notified() -> None:
    heard = Epochs()
    seqpipe.callbacks.fit_with_callbacks(SequenceClassifier(**TRIED), [heard], X, SIGNAL)
    assert heard.seen == list(range(1, 16))


def test_callbacks_of_the_net_are_not_notified_of_a_trial() -> None:
    begun: list[int] = []

    class Begun(Callback):
        def on_train_begin(self, net: Any, **kwargs: Any) -> None:
            begun.append(1)

    SequenceClassifier(**TRIED, net_params={"callbacks": [Begun()]}).fit(X, SIGNAL)
    assert begun == [1]


def test_an_ensemble_makes_one_trial() -> None:
    found = SequenceClassifier(**SMALL, max_epochs=60, n_members=2).fit(X, NOISE)
    assert [stopped(member) for member in found.members_] == [True, True]


@pytest.mark.parametrize(
    ("model", "least"),
    [(StepClassifier(**SMALL), 100), (StepRegressor(**SMALL), 100), (SequenceRegressor(**SMALL), 200)],
    ids=["StepClassifier", "StepRegressor", "SequenceRegressor"],
)
def test_others_stop_early_from_a_number_of_sequences(model: Any, least: int) -> None:
    y = SIGNAL if isinstance(model, SequenceRegressor) else (X[:, :, 0] > 0).astype(int)
    for n, expected in ((least - 1, False), (least, True)):
        assert stopped(clone(model).set_params(max_epochs=1).fit(X[:n], y[:n])) is expected
