"""Callbacks that predict at the end of each epoch: they see its weights, and change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from seqpipe import SequenceClassifier, SequenceRegressor, StepClassifier, StepRegressor
from seqpipe.callbacks import FitListener, FitTask, fit_with_callbacks
from seqpipe.recurrence.engines import compiling
from seqpipe.training import Checkpoint

#: Some epochs are not enough to be better than a constant.
pytestmark = pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")
SHORT = {"hidden_size": 4, "max_epochs": 3, "batch_size": 16, "random_state": 0}
rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 2)) for n in rng.integers(4, 9, size=40)]
LABELS = np.array(["up" if x.sum() > 0 else "down" for x in X])
NUMBERS = np.array([x.sum() for x in X])
STEPS = [x[:, 0].cumsum() for x in X]

CASES: dict[str, tuple[Any, Any]] = {
    "labels, with dropout": (SequenceClassifier(**SHORT, num_layers=2, dropout=0.3), LABELS),
    "numbers, stopping early": (SequenceRegressor(**SHORT, early_stopping=True), NUMBERS),
    "labels of steps": (StepClassifier(**SHORT), [np.where(steps > 0, "up", "down") for steps in STEPS]),
    "numbers of steps, in parts": (StepRegressor(**SHORT, tbptt=(3, 3)), STEPS),
    "an ensemble trained together": (SequenceClassifier(**SHORT, n_members=2), LABELS),
    "an ensemble trained in threads": (StepRegressor(**SHORT, n_members=2, tbptt=(3, 3)), STEPS),
}


class Predicts(FitListener):
    """Predicts at the end of each epoch, and uses random numbers."""

    def __init__(self, *, ends_in: int | None = None) -> None:
        super().__init__()
        self.predictions: list[Any] = []
        self.epochs: list[tuple[int, bool]] = []
        self.ends_in = ends_in

    def ended(self, estimator: Any, task: FitTask, metadata: dict[str, Any]) -> None:
        if "epoch" not in metadata:
            return
        torch.rand(2)
        self.epochs.append((metadata["epoch"], "replayed" in metadata))
        self.predictions.append(predicted(estimator))
        if metadata["epoch"] == self.ends_in:
            raise RuntimeError("the power fails")


def predicted(model: Any) -> Any:
    """Probabilities or numbers, of all sequences or of all steps."""
    method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    return np.concatenate([np.atleast_1d(each) for each in getattr(model, method)(X)])


def learned(model: Any) -> tuple[list[bytes], list[Any]]:
    """The weights of all networks, bit by bit, and their histories without times."""
    networks = model.members_ or [model]
    weights = [value.numpy().tobytes() for each in networks for value in each.net_.module_.state_dict().values()]
    return weights, [
        {name: value for name, value in record.items() if name != "dur"}
        for each in networks
        for record in each.history_
    ]


@pytest.mark.parametrize("name", CASES)
def test_predictions_in_training_are_those_of_the_epoch_and_change_nothing(name: str) -> None:
    model, y = CASES[name]
    predicts = Predicts()
    seen = fit_with_callbacks(clone(model), [predicts], X, y)
    assert learned(seen) == learned(clone(model).fit(X, y))
    assert predicts.epochs == [(1, False), (2, False), (3, False)]
    if name != "numbers, stopping early":  # which changes the weights at its end
        first = seen.members_[0] if seen.members_ else seen
        np.testing.assert_array_equal(predicts.predictions[-1], predicted(first))
    assert not any(map(np.array_equal, predicts.predictions, predicts.predictions[1:]))


def test_an_ensemble_whose_fit_fails_is_as_before() -> None:
    model = SequenceClassifier(**SHORT, n_members=2)
    with pytest.raises(RuntimeError, match="the power fails"):
        fit_with_callbacks(model, [Predicts(ends_in=1)], X, LABELS)
    assert not hasattr(model, "net_")


def test_the_mode_of_training_is_restored() -> None:
    modes = []

    class Mode(Predicts):
        def ended(self, estimator: Any, task: FitTask, metadata: dict[str, Any]) -> None:
            if "epoch" in metadata:
                modes.append(estimator.net_.module_.training)
                super().ended(estimator, task, metadata)
                modes.append(estimator.net_.module_.training)

    fit_with_callbacks(SequenceRegressor(**SHORT), [Mode()], X, NUMBERS)
    assert modes == [True, False] * 3


def test_epochs_before_a_checkpoint_are_replayed(tmp_path: Path) -> None:
    model = SequenceRegressor(**SHORT)
    kept = clone(model).set_params(checkpoint=Checkpoint(tmp_path, every_n_updates=1))
    with pytest.raises(RuntimeError, match="the power fails"):
        fit_with_callbacks(kept, [Predicts(ends_in=2)], X, NUMBERS)
    again = Predicts()
    continued = fit_with_callbacks(clone(kept), [again], X, NUMBERS)
    assert again.epochs == [(1, True), (2, False), (3, False)]
    assert learned(continued) == learned(model.fit(X, NUMBERS))
    finished = Predicts()
    fit_with_callbacks(clone(kept), [finished], X, NUMBERS)
    assert finished.epochs == [(1, True), (2, True), (3, True)]


def test_what_a_callback_compiles_is_in_no_time_of_the_fit() -> None:
    class Compiles(FitListener):
        def ended(self, estimator: Any, task: FitTask, metadata: dict[str, Any]) -> None:
            if "epoch" in metadata:
                with compiling():
                    estimator.predict(X * 20)

    model = fit_with_callbacks(SequenceRegressor(**SHORT, engine="loop"), [Compiles()], X, NUMBERS)
    assert all(record["dur"] > 0 for record in model.history_)
    assert model.compile_seconds_ == SequenceRegressor(**SHORT, engine="loop").fit(X, NUMBERS).compile_seconds_ == 0
