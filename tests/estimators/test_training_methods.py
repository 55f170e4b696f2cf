"""Training methods as parameters: truncation, optimizers, schedules, precision, weights that agree with masks."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from seqpipe.estimators import (
    LanguageModel,
    SequenceClassifier,
    SequenceRegressor,
    StepClassifier,
    StepRegressor,
)
from seqpipe.exceptions import UnknownNameError

TINY = {"hidden_size": 6, "max_epochs": 6, "random_state": 0}
FULL = {**TINY, "dtype": "float64", "batch_size": 100}
rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 2)) for n in rng.integers(3, 13, size=24)]
LABELS = np.array([int(x[:, 0].mean() > 0) for x in X])
VALUES = np.array([x.mean() for x in X])
STEP_LABELS = [(np.cumsum(x[:, 0]) > 0).astype(int) for x in X]
STEP_VALUES = [np.cumsum(x[:, 0]) for x in X]
CASES = {
    "SequenceClassifier": (SequenceClassifier, LABELS),
    "SequenceRegressor": (SequenceRegressor, VALUES),
    "StepClassifier": (StepClassifier, STEP_LABELS),
    "StepRegressor": (StepRegressor, STEP_VALUES),
}
STEPWISE = ["StepClassifier", "StepRegressor"]


def answers(model: Any, data: Any) -> np.ndarray:
    found = model.predict_proba(data) if hasattr(model, "predict_proba") else model.predict(data)
    return np.concatenate(found) if isinstance(found, list) or found.dtype == object else np.asarray(found)


def taken(values: Any, indices: Any) -> Any:
    return values[indices] if isinstance(values, np.ndarray) else [values[i] for i in indices]


# ---- truncated backpropagation


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPWISE)
@pytest.mark.parametrize("regime", [(1, 12), (3, 3), (2, 5)])
def test_step_estimators_learn_with_truncation(name: str, regime: tuple[int, int]) -> None:
    kind, y = CASES[name]
    settings = {**TINY, "max_epochs": 12, "hidden_size": 16, "batch_size": 12}
    assert kind(**settings, tbptt=regime).fit(X, y).score(X, y) > 0.75


@pytest.mark.parametrize("name", STEPWISE)
def test_truncation_to_all_steps_is_none(name: str) -> None:
    kind, y = CASES[name]
    whole, cut = (kind(**TINY, tbptt=tbptt).fit(X, y) for tbptt in (None, (12, 12)))
    np.testing.assert_array_equal(answers(whole, X), answers(cut, X))


def test_the_automatic_budget_counts_updates() -> None:
    long = [rng.normal(size=(100, 1)) for _ in range(4)]
    model = StepRegressor(hidden_size=2, tbptt=(2, 2), random_state=0).fit(long, [x[:, 0] for x in long])
    assert model.n_iter_ == 30
    assert model.net_.guard.n_updates_ == 1500
    assert model.history_[-1]["lr"] < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("loss_on", ["last", lambda n: np.arange(n) % 9 == 8])
def test_the_automatic_budget_does_not_count_parts_without_a_loss(loss_on: Any) -> None:
    long = [rng.normal(size=(20, 1)) for _ in range(100)]
    model = StepRegressor(hidden_size=2, tbptt=(2, 2), loss_on=loss_on, random_state=0)
    assert model.fit(long, [x[:, 0] for x in long]).net_.guard.n_updates_ in range(600, 620)


def test_truncation_is_searched_kept_by_clone_and_pickle() -> None:
    search = GridSearchCV(StepRegressor(**TINY), {"tbptt": [None, (2, 4)]}, cv=2, error_score="raise")
    found = search.fit(X, STEP_VALUES).best_estimator_
    assert clone(found).tbptt == found.tbptt
    np.testing.assert_array_equal(answers(pickle.loads(pickle.dumps(found)), X), answers(found, X))


@pytest.mark.parametrize("params", [{"memory": "recompute"}, {"engine": "unrolled"}, {"engine": "loop"}], ids=str)
def test_truncation_goes_with_every_way_of_running(params: dict[str, Any]) -> None:
    settings = {**FULL, "tbptt": (2, 5), "num_layers": 2, "initial_state": "learned"}
    plain, other = (StepRegressor(**settings, **more).fit(X, STEP_VALUES) for more in ({}, params))
    np.testing.assert_allclose(answers(plain, X), answers(other, X), rtol=1e-6, atol=1e-9)


def test_truncation_with_both_directions_is_refused() -> None:
    with pytest.raises(ValueError, match="Set tbptt=None or bidirectional=False"):
        StepRegressor(**TINY, tbptt=(2, 2), bidirectional=True).fit(X, STEP_VALUES)


def test_a_long_text_trains_with_its_state_carried_from_part_to_part() -> None:
    cycle = "abcdefg" * 60
    for tbptt in ((7, 7), (7, 14)):
        model = LanguageModel(hidden_size=12, batch_size=2, max_epochs=5, lr=0.03, tbptt=tbptt, random_state=0).fit(
            cycle
        )
        assert model.net_.guard.n_updates_ == 5 * 30
        assert model.bits_per_token(cycle) < 0.5


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceRegressor])
def test_estimators_with_one_answer_a_sequence_have_no_truncation(kind: Any) -> None:
    assert "tbptt" not in kind().get_params()


# ---- optimizers, schedules, precision


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("optimizer", ["RMSprop", "SGD", torch.optim.Adam])
def test_estimators_take_optimizers_by_name_and_class(name: str, optimizer: Any) -> None:
    kind, y = CASES[name]
    model = kind(**TINY, optimizer=optimizer, weight_decay=0.03).fit(X, y)
    assert type(model.net_.optimizer_).__name__ in (optimizer, "Adam")
    assert model.net_.optimizer_.defaults["weight_decay"] == 0.03
    assert model.history_[-1]["train_loss"] < model.history_[0]["train_loss"]


@pytest.mark.parametrize("name", ["NAdam", "RAdam", "Adafactor", "Rprop", "Adadelta"])
def test_the_state_of_any_optimizer_goes_through_a_pickle(name: str) -> None:
    one = SequenceRegressor(**TINY, optimizer=name, warm_start=True, batch_size=8).fit(X, VALUES)
    other = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(answers(one.fit(X, VALUES), X), answers(other.fit(X, VALUES), X))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"optimizer": "SGD", "net__optimizer__momentum": 0.9}, {"optimizer": "AdamW", "net_params": None}),
        ({"optimizer": "Adam"}, {"optimizer": "RMSprop"}),
        ({"optimizer": "RMSprop"}, {"net__optimizer__momentum": 0.9}),
        ({"optimizer": "Adam"}, {"net__optimizer__amsgrad": True}),
    ],
)
def test_a_fit_that_goes_on_may_take_another_optimizer(first: dict[str, Any], then: dict[str, Any]) -> None:
    model = SequenceRegressor(**TINY, warm_start=True).set_params(**first).fit(X, VALUES)
    copied = pickle.loads(pickle.dumps(model.set_params(**then)))
    for losses in ([epoch["train_loss"] for epoch in m.fit(X, VALUES).history_] for m in (model, copied)):
        assert len(losses) == 2 * TINY["max_epochs"]
        assert losses[TINY["max_epochs"]] < losses[0]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"optimizer": "Adan"}, "'optimizer' parameter of SequenceClassifier .* Did you mean 'Adam'"),
        ({"lr_schedule": "OneCycle"}, "'lr_schedule' parameter of SequenceClassifier .* Did you mean 'OneCycleLR'"),
        ({"lr_schedule_params": {"gama": 1}, "lr_schedule": "StepLR"}, "Did you mean 'gamma'"),
    ],
)
def test_a_misspelt_name_is_refused_before_training(params: dict[str, Any], message: str) -> None:
    model = SequenceClassifier(**TINY, **params)
    with pytest.raises(UnknownNameError, match=message):
        model.fit(X, LABELS)
    assert not hasattr(model, "net_")


def test_a_search_goes_over_schedules() -> None:
    grid = [
        {"lr_schedule": ["StepLR"], "lr_schedule_params": [{"step_size": 2}]},
        {"lr_schedule": ["CosineAnnealingLR", None]},
    ]
    search = GridSearchCV(SequenceRegressor(**TINY), grid, cv=2, error_score="raise").fit(X, VALUES)
    assert len(search.cv_results_["params"]) == 3


def test_the_rate_of_each_epoch_is_in_the_history() -> None:
    model = SequenceRegressor(**TINY, lr=0.02, lr_schedule="StepLR", lr_schedule_params={"step_size": 2, "gamma": 0.5})
    rates = [epoch["lr"] for epoch in model.fit(X, VALUES).history_]
    assert rates == pytest.approx([0.02, 0.02, 0.01, 0.01, 0.005, 0.005])


@pytest.mark.parametrize("name", CASES)
def test_estimators_train_in_mixed_precision_near_to_what_they_do_without(name: str) -> None:
    kind, y = CASES[name]
    mixed, plain = (kind(**TINY, mixed_precision=m).fit(X, y) for m in (True, False))
    losses = [[epoch["train_loss"] for epoch in model.history_] for model in (mixed, plain)]
    assert losses[0] != losses[1]
    np.testing.assert_allclose(*losses, rtol=0.02)


def test_mixed_precision_of_doubles_is_refused() -> None:
    with pytest.raises(ValueError, match="mixed_precision=True computes in bfloat16 and float32"):
        SequenceClassifier(**TINY, mixed_precision=True, dtype="float64").fit(X, LABELS)


# ---- weights and masks


@pytest.mark.parametrize(
    ("name", "more"),
    [*((name, {}) for name in CASES), *((name, {"tbptt": (2, 5)}) for name in STEPWISE)],
)
def test_a_weight_of_two_is_the_sequence_given_twice(name: str, more: dict[str, Any]) -> None:
    kind, y = CASES[name]
    settings = FULL | more
    twice = [*range(24), 3, 7, 8]
    weight = np.bincount(twice).astype(float)
    weighted = kind(**settings).fit(X, y, sample_weight=weight)
    repeated = kind(**settings).fit(taken(X, twice), taken(y, twice))
    np.testing.assert_allclose(answers(weighted, X), answers(repeated, X), rtol=1e-7, atol=1e-9)
    assert not np.allclose(answers(weighted, X), answers(kind(**settings).fit(X, y), X), rtol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_padding_has_no_weight(name: str) -> None:
    """A batch is padded to its longest sequence; one with a vanishing weight must not affect the others."""
    kind, y = CASES[name]
    long = rng.normal(size=(60, 2))
    target = {"SequenceClassifier": 0, "SequenceRegressor": 0.0}.get(name, np.zeros(60, dtype=int))
    more = [*y, target] if isinstance(y, list) else np.append(y, target)
    weight = np.append(np.ones(24), 1e-12)
    alone = kind(**FULL).fit(X, y, sample_weight=np.ones(24))
    padded = kind(**FULL).fit([*X, long], more, sample_weight=weight)
    np.testing.assert_allclose(answers(alone, X), answers(padded, X), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ["SequenceClassifier", "StepClassifier"])
def test_class_weights_are_sample_weights_by_class(name: str) -> None:
    kind = CASES[name][0]
    y = LABELS if name == "SequenceClassifier" else [np.full(len(x), label) for x, label in zip(X, LABELS)]
    by_class = kind(**FULL, class_weight={0: 1.0, 1: 4.0}, scale_inputs=False).fit(X, y)
    by_sample = kind(**FULL, scale_inputs=False).fit(X, y, sample_weight=np.where(LABELS == 1, 4.0, 1.0))
    np.testing.assert_allclose(answers(by_class, X), answers(by_sample, X), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["SequenceClassifier", "StepClassifier"])
def test_balanced_classes_count_a_weight_of_two_as_a_sample_given_twice(name: str) -> None:
    kind, y = CASES[name]
    twice = [*range(24), *np.flatnonzero(LABELS)]
    weighted = kind(**FULL, class_weight="balanced").fit(X, y, sample_weight=1.0 + LABELS)
    repeated = kind(**FULL, class_weight="balanced").fit(taken(X, twice), taken(y, twice))
    np.testing.assert_allclose(answers(weighted, X), answers(repeated, X), rtol=1e-7, atol=1e-9)
