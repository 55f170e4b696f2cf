"""Targets may be known at some steps only, and each step may have its own weight."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import cross_val_score

from seqpipe.estimators import SlidingWindowClassifier, SlidingWindowRegressor, StepClassifier, StepRegressor
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences, Windows
from seqpipe.training import StepLoss

SMALL = {"hidden_size": 6, "max_epochs": 2, "random_state": 0, "dtype": "float64"}
rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 2)) for n in rng.integers(4, 12, size=24)]
TOTALS = [x[:, 0].cumsum() for x in X]
TAGS = [np.where(total > 0, "up", "down") for total in TOTALS]
EQUAL = rng.normal(size=(20, 6, 1))
EQUAL_TOTALS = EQUAL[:, :, 0].cumsum(axis=1)


def every_third(n_timesteps: int) -> NDArray[np.bool_]:
    return np.arange(n_timesteps) % 3 == 0


KNOWN = [every_third(len(x)) for x in X]
HOLES = [np.where(known, total, np.nan) for known, total in zip(KNOWN, TOTALS)]
TAG_HOLES = [np.where(known, tags, None) for known, tags in zip(KNOWN, TAGS)]
WEIGHTS = [known.astype(float) for known in KNOWN]


def flat(values: Any) -> NDArray[Any]:
    return np.concatenate([*values])


# ---- what is not known takes no part


SETTINGS = {
    "plain": {},
    "small batches": {"batch_size": 5},
    "tbptt": {"tbptt": (2, 4), "batch_size": 8},
    "early stopping": {"early_stopping": True, "validation_fraction": 0.3, "max_epochs": 4},
    "unscaled": {"scale_inputs": False},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_fit_without_some_truths_is_the_fit_whose_loss_is_on_the_others(settings: dict[str, Any]) -> None:
    expected = StepRegressor(**{**SMALL, **settings}, loss_on=every_third).fit(X, TOTALS)
    found = StepRegressor(**{**SMALL, **settings}).fit(X, HOLES)
    np.testing.assert_allclose(flat(found.predict(X)), flat(expected.predict(X)), rtol=1e-9)
    for key in ("train_loss", "valid_loss"):
        np.testing.assert_allclose([r.get(key, 0) for r in found.history_], [r.get(key, 0) for r in expected.history_])


@pytest.mark.parametrize(
    "settings", [*SETTINGS.values(), {"class_weight": "balanced"}], ids=[*SETTINGS, "class weights"]
)
def test_so_it_is_with_labels(settings: dict[str, Any]) -> None:
    expected = StepClassifier(**{**SMALL, **settings}, loss_on=every_third).fit(X, TAGS)
    found = StepClassifier(**{**SMALL, **settings}).fit(X, TAG_HOLES)
    assert found.classes_.tolist() == ["down", "up"]
    np.testing.assert_allclose(flat(found.predict_proba(X)), flat(expected.predict_proba(X)), rtol=1e-9)


@pytest.mark.parametrize("kind", [StepRegressor, StepClassifier])
def test_a_weight_of_0_at_a_step_is_a_truth_that_is_not_known(kind: type[Any]) -> None:
    whole, holes = (TOTALS, HOLES) if kind is StepRegressor else (TAGS, TAG_HOLES)
    found = kind(**SMALL).fit(X, whole, sample_weight=WEIGHTS)
    expected = kind(**SMALL).fit(X, holes)
    assert (flat(found.predict(X)) == flat(expected.predict(X))).all()
    assert found.score(X, whole, sample_weight=WEIGHTS) == pytest.approx(expected.score(X, holes), rel=1e-12)


def test_the_rule_of_the_loss_chooses_among_the_known_steps() -> None:
    last_but_one = [np.where(np.arange(len(t)) == len(t) - 1, np.nan, t) for t in TOTALS]
    found = StepRegressor(**SMALL, loss_on=2).fit(X, last_but_one)
    expected = StepRegressor(**SMALL, loss_on=lambda n: np.arange(n) == n - 2).fit(X, TOTALS)
    np.testing.assert_allclose(flat(found.predict(X)), flat(expected.predict(X)), rtol=1e-9)
    with pytest.raises(
        ValueError, match="'loss_on' parameter of StepRegressor must select at least one step .* with a target"
    ):
        StepRegressor(**SMALL, loss_on="last").fit(X, last_but_one)


def test_a_sequence_of_which_nothing_is_known_is_left_out() -> None:
    found = StepRegressor(**SMALL).fit(X, [*TOTALS[:-1], TOTALS[-1] * np.nan])
    expected = StepRegressor(**SMALL).fit(X[:-1], TOTALS[:-1])
    np.testing.assert_array_equal(flat(found.predict(X)), flat(expected.predict(X)))


def test_scores_are_of_the_known_steps() -> None:
    regressor = StepRegressor(**SMALL).fit(X, TOTALS)
    known = flat(KNOWN)
    expected = r2_score(flat(TOTALS)[known], flat(regressor.predict(X))[known])
    assert regressor.score(X, HOLES) == pytest.approx(expected, rel=1e-12)
    classifier = StepClassifier(**SMALL).fit(X, TAGS)
    expected = accuracy_score(flat(TAGS)[known], flat(classifier.predict(X))[known])
    assert classifier.score(X, TAG_HOLES) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", [StepRegressor, StepClassifier])
def test_cross_validation_scores_the_known_steps_of_each_fold(kind: type[Any]) -> None:
    holes = HOLES if kind is StepRegressor else TAG_HOLES
    assert np.isfinite(cross_val_score(kind(**SMALL), X, holes, cv=2, error_score="raise")).all()


# ---- forms


def nullable(dtype: str) -> Any:
    return lambda values: [pd.Series([None if pd.isna(v) else v for v in each], dtype=dtype) for each in values]


FORMS = {
    "NaN": lambda y: y,
    "None": lambda y: [[None if np.isnan(v) else v for v in each] for each in y],
    "NA": lambda y: [np.array([pd.NA if np.isnan(v) else v for v in each], dtype=object) for each in y],
    "Float64": nullable("Float64"),
    "Arrow": nullable("double[pyarrow]"),
    "masked": lambda y: [np.ma.masked_invalid(each) for each in y],
    "Series": pd.Series,
    "polars": lambda y: pl.Series([[None if np.isnan(v) else v for v in each] for each in y]),
    "Sequences": Sequences.from_arrays,
    "columns": lambda y: [each[:, None] for each in y],
}


@pytest.mark.parametrize("make", FORMS.values(), ids=FORMS)
def test_every_form_of_a_target_that_is_not_known_makes_the_same_fit(make: Any) -> None:
    expected = StepRegressor(**SMALL).fit(X, HOLES).predict(X)
    found = StepRegressor(**SMALL).fit(X, make(HOLES)).predict(X)
    np.testing.assert_array_equal(flat(found).reshape(-1), flat(expected))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([[0, None, 1, pd.NA] for _ in range(4)], [0, 1]),
        ([[0.0, np.nan, 1.0, np.nan] for _ in range(4)], [0.0, 1.0]),
        ([["a", np.nan, "b", None] for _ in range(4)], ["a", "b"]),
        ([pd.array(["a", pd.NA, "b", None], dtype="string") for _ in range(4)], ["a", "b"]),
        ([pd.Categorical(["a", None, "b", None]) for _ in range(4)], ["a", "b"]),
        ([pl.Series([True, None, False, None]) for _ in range(4)], [False, True]),
        (np.array([[0, None, 1, None]] * 4, dtype=object), [0, 1]),
        (pd.DataFrame([["a", None, "b", None]] * 4), ["a", "b"]),
        (np.ma.masked_equal([[0, 9, 1, 9]] * 4, 9), [0, 1]),
    ],
    ids=["int", "float", "text", "string", "category", "polars", "array", "frame", "masked"],
)
def test_a_label_that_is_not_known_is_no_class(labels: Any, expected: list[Any]) -> None:
    fitted = StepClassifier(**SMALL).fit(EQUAL[:4, :4], labels)
    assert fitted.classes_.tolist() == expected
    assert set(flat(fitted.predict(EQUAL[:4, :4])).tolist()) <= set(expected)


def test_padded_targets_and_windows_may_have_holes() -> None:
    known = every_third(6)
    holes = np.where(known, EQUAL_TOTALS, np.nan)
    found = StepRegressor(**SMALL).fit(EQUAL, holes)
    expected = StepRegressor(**SMALL, loss_on=every_third).fit(EQUAL, EQUAL_TOTALS)
    np.testing.assert_allclose(found.predict(EQUAL), expected.predict(EQUAL), rtol=1e-9)
    windows = Windows(rng.normal(size=(30, 1)), np.arange(20), 6)
    assert np.isfinite(StepRegressor(**SMALL).fit(windows, holes).predict(windows)).all()


def test_several_outputs_are_known_together_or_not_at_all() -> None:
    both = np.stack([EQUAL_TOTALS, -EQUAL_TOTALS], axis=2)
    both[2, 3] = np.nan
    assert StepRegressor(**SMALL).fit(EQUAL, both).predict(EQUAL).shape == both.shape
    both[2, 3, 1] = 0.0
    with pytest.raises(InvalidSequencesError, match="some outputs of a step, but not in all: sample 2, step 3"):
        StepRegressor(**SMALL).fit(EQUAL, both)


def test_a_fit_that_goes_on_takes_holes_too() -> None:
    model = StepClassifier(**SMALL).partial_fit(X, TAGS)
    assert model.partial_fit(X, TAG_HOLES).classes_.tolist() == ["down", "up"]


def test_an_estimator_fitted_to_holes_pickles() -> None:
    model = StepRegressor(**SMALL).fit(X, HOLES)
    np.testing.assert_array_equal(flat(pickle.loads(pickle.dumps(model)).predict(X)), flat(model.predict(X)))


@pytest.mark.parametrize("kind", [StepRegressor, StepClassifier])
def test_data_of_which_nothing_is_known_is_refused(kind: type[Any]) -> None:
    nothing = [[None] * len(x) for x in X]
    with pytest.raises(InvalidSequencesError, match="at any time step"):
        kind(**SMALL).fit(X, nothing)
    fitted = kind(**SMALL).fit(X, TOTALS if kind is StepRegressor else TAGS)
    with pytest.raises(InvalidSequencesError, match="at any time step"):
        fitted.score(X, nothing)


@pytest.mark.parametrize("model", [SlidingWindowRegressor, SlidingWindowClassifier])
def test_estimators_of_windows_need_all_truths_and_say_so(model: type[Any]) -> None:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    classifies = model is SlidingWindowClassifier
    inner = DecisionTreeClassifier() if classifies else DecisionTreeRegressor()
    with pytest.raises(
        InvalidSequencesError, match="NaN or None: sample 0, step 1 .*requires a target at every time step"
    ):
        model(inner, window=2, aggregate="concat").fit(X, TAG_HOLES if classifies else HOLES)


# ---- weights of steps


def test_weights_of_steps_weigh_the_loss() -> None:
    """An integer weight counts a step that many times in the loss; the input is unchanged."""
    weights = rng.integers(0, 4, size=EQUAL_TOTALS.shape)
    objective = StepLoss(steps_per_sample=float((weights > 0).sum(axis=1).mean()))
    import torch

    outputs, targets = torch.randn(20, 6, 1), torch.from_numpy(EQUAL_TOTALS[:, :, None]).float()
    even = (weights / weights[weights > 0].mean()).astype("float32")
    found = objective(torch.nn.MSELoss(reduction="none"), outputs, targets, {"step_weight": even})
    expected = np.average(((outputs - targets) ** 2).numpy()[:, :, 0], weights=weights)
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "make", [lambda w: w, list, lambda w: pd.DataFrame(w), lambda w: Sequences.from_padded(w[:, :, None])]
)
def test_one_weight_for_all_steps_of_a_sequence_is_the_sequences_weight(make: Any) -> None:
    weight = rng.uniform(0.5, 2, size=20)
    expected = StepRegressor(**SMALL).fit(EQUAL, EQUAL_TOTALS, sample_weight=weight)
    by_step = make(np.repeat(weight[:, None], 6, axis=1))
    found = StepRegressor(**SMALL).fit(EQUAL, EQUAL_TOTALS, sample_weight=by_step)
    np.testing.assert_array_equal(found.predict(EQUAL), expected.predict(EQUAL))
    assert found.score(EQUAL, EQUAL_TOTALS, sample_weight=by_step) == expected.score(
        EQUAL, EQUAL_TOTALS, sample_weight=weight
    )


def test_uneven_weights_are_those_of_the_score() -> None:
    model = StepRegressor(**SMALL).fit(X, TOTALS)
    weights = [rng.uniform(size=len(x)) for x in X]
    expected = r2_score(flat(TOTALS), flat(model.predict(X)), sample_weight=flat(weights))
    assert model.score(X, TOTALS, sample_weight=weights) == pytest.approx(expected, rel=1e-12)
    assert model.score(X, TOTALS, sample_weight=[w * 7 for w in weights]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([*WEIGHTS[:3], WEIGHTS[3] * np.nan, *WEIGHTS[4:]], "sample_weight contains NaN or infinity: sample 3, step 0"),
        ([*WEIGHTS[:3], -WEIGHTS[3], *WEIGHTS[4:]], "negative values: sample 3, step 0"),
        ([*WEIGHTS[:3], WEIGHTS[3][1:], *WEIGHTS[4:]], r"sample_weight has \d+ steps, but X has \d+ in sample 3"),
        (WEIGHTS[:-1], "inconsistent numbers of samples"),
        ([w * 0 for w in WEIGHTS], "at least one non-zero number"),
        ([np.stack([w, w], axis=1) for w in WEIGHTS], "must be one number per time step"),
        ([w.astype(str) for w in WEIGHTS], "must hold real numbers"),
        ([1.0, np.nan] * 12, "sample_weight contains NaN or infinity: sample 1"),
    ],
    ids=["NaN", "negative", "short", "few", "zero", "two", "text", "of samples"],
)
def test_unfit_weights_are_refused_with_their_place(weights: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        StepRegressor(**SMALL).fit(X, TOTALS, sample_weight=weights)
