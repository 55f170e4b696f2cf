"""A fit that stops early, and is no better than a constant prediction, says so."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from seqpipe.estimators import (
    LanguageModel,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTranslator,
    StepClassifier,
    StepRegressor,
)
from seqpipe.estimators._constant import constant_loss, target_rows
from seqpipe.exceptions import BaselineWarning

STOPPED = {"hidden_size": 4, "max_epochs": 2, "random_state": 0, "early_stopping": True, "validation_fraction": 0.5}
#: So small that the weights stay those of the beginning.
UNTRAINED = {**STOPPED, "max_epochs": 1, "lr": 1e-9}
rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 1)) for n in rng.integers(3, 7, size=40)]
NOISE = rng.normal(size=40) ** 3
RARE = np.where(np.arange(40) % 8 == 0, "rare", "usual")

CASES: dict[str, tuple[Any, Any]] = {
    "SequenceRegressor": (SequenceRegressor(**UNTRAINED), NOISE),
    "SequenceRegressor, two outputs": (SequenceRegressor(**UNTRAINED), np.stack([NOISE, -NOISE], axis=1)),
    "SequenceClassifier": (SequenceClassifier(**UNTRAINED), RARE),
    "SequenceClassifier, labels": (SequenceClassifier(**UNTRAINED), np.eye(2, dtype=int)[np.zeros(40, dtype=int)]),
    "StepRegressor": (StepRegressor(**UNTRAINED), [np.full(len(x), noise) for x, noise in zip(X, NOISE)]),
    "StepClassifier": (StepClassifier(**UNTRAINED), [np.full(len(x), label) for x, label in zip(X, RARE)]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_fit_that_learns_nothing_warns_with_what_to_try(name: str) -> None:
    model, y = CASES[name]
    words = r"is not better than a constant prediction.*Try, in this order: \(1\) .*docs/my-score-is-bad.md"
    with pytest.warns(BaselineWarning, match=f"{type(model).__name__} {words}") as caught:
        model.fit(X, y)
    assert [warning.filename for warning in caught] == [__file__]


def test_estimators_of_texts_warn_too() -> None:
    texts = ["a" * n + "b" for n in range(1, 21)]
    with pytest.warns(BaselineWarning, match="LanguageModel is not better"):
        LanguageModel(**UNTRAINED).fit(texts)
    with pytest.warns(BaselineWarning, match="SequenceTranslator is not better"):
        SequenceTranslator(**UNTRAINED).fit(texts, texts)


@pytest.mark.parametrize("kind", [SequenceRegressor, StepRegressor])
def test_a_fit_that_learns_something_does_not_warn(kind: type[Any]) -> None:
    totals = [x[:, 0].cumsum() for x in X]
    y = totals if kind is StepRegressor else np.array([total[-1] for total in totals])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kind(**{**STOPPED, "max_epochs": 15, "lr": 0.03}).fit(X, y)


def test_without_validation_data_or_with_another_criterion_nothing_is_compared() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SequenceRegressor(**{**UNTRAINED, "early_stopping": False}).fit(X, NOISE)
        SequenceRegressor(**UNTRAINED, net_params={"criterion": torch.nn.L1Loss}).fit(X, NOISE)


@pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")
def test_the_loss_of_the_constant_is_that_of_the_weighted_frequencies() -> None:
    holes = [np.where(np.arange(len(x)) % 3 == 1, None, np.where(x[:, 0] > 0.4, "b", "a")) for x in X]
    weights = [rng.uniform(0.5, 1.5, size=len(x)) for x in X]
    model = StepClassifier(**STOPPED).fit(X, holes, sample_weight=weights)
    samples = model.as_samples(X, holes)
    classes, weight = target_rows(samples, model._selected_steps(samples))
    known = np.concatenate([hole != None for hole in holes])  # noqa: E711
    np.testing.assert_array_equal(weight > 0, known)
    outputs = model._constant_outputs(samples)
    shares = np.bincount(classes[known, 0].astype(int)) / known.sum()
    np.testing.assert_allclose(np.exp(outputs), shares)
    model._steps_per_sample = float(known.sum() / len(X))  # of these samples, instead of those of the fit
    model.net_.objective = model._objective()
    truth = classes[known, 0].astype(int)
    expected = log_loss(truth, np.tile(shares, (len(truth), 1)))
    assert constant_loss(model.net_, samples, outputs) == pytest.approx(expected, rel=1e-5)


@pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")
def test_the_loss_of_the_mean_is_the_variance() -> None:
    model = SequenceRegressor(**STOPPED, dtype="float64").fit(X, NOISE)
    samples = model.as_samples(X, NOISE)
    found = constant_loss(model.net_, samples, model._constant_outputs(samples))
    assert found == pytest.approx(np.var(NOISE) / model.y_scale_[0] ** 2)
