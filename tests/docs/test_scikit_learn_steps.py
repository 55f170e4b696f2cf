"""Each cell of the second table in docs/scikit-learn.md is what happens, and what it names instead works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn
import sklearn.inspection
import sklearn.model_selection
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)

import seqpipe
from seqpipe import inspection
from seqpipe.estimators import StepClassifier, StepRegressor

SIZES = {"hidden_size": [2, 3]}
SMALL = {"hidden_size": 2, "max_epochs": 1, "random_state": 0}
STRICT: dict[str, Any] = {"cv": 2, "error_score": "raise"}
CURVE: dict[str, Any] = {**STRICT, "train_sizes": [0.5, 1.0]}
RANGE: dict[str, Any] = {**STRICT, "param_name": "hidden_size", "param_range": [2, 3]}
HALVING: dict[str, Any] = {**STRICT, "min_resources": 9, "random_state": 0}

Run = Callable[[Any], Any]


def step_label(cell: str = "gru") -> StepClassifier:
    return StepClassifier(cell, **SMALL)


def step_number(cell: str = "gru") -> StepRegressor:
    return StepRegressor(cell, **SMALL)


def two(make: Callable[[str], Any]) -> list[tuple[str, Any]]:
    return [("a", make("gru")), ("b", make("rnn"))]


def totals(X: Any) -> Any:
    """Return the running total of the first feature, of the form of X: an array, or a list of arrays."""
    found = [np.asarray(x).reshape(len(x), -1)[:, 0].cumsum() for x in X]
    return np.array(found) if isinstance(X, np.ndarray) else found


def tags(X: Any) -> Any:
    found = [np.where(total > 0, "up", "down") for total in totals(X)]
    return np.array(found) if isinstance(X, np.ndarray) else found


def step_weights(X: Any) -> Any:
    return np.ones(X.shape[:2]) if isinstance(X, np.ndarray) else [np.linspace(0.1, 1, len(x)) for x in X]


def flat(values: Any) -> Any:
    return np.concatenate([*values])


def routed(model: Any, X: Any, y: Any, weight: Any) -> Any:
    with sklearn.config_context(enable_metadata_routing=True):
        own = model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(own, SIZES, **STRICT)
        return search.fit(X, y, sample_weight=weight).predict(X)


def joined(make: Any, X: Any, y: Any, method: str) -> Any:
    first = seqpipe.cross_val_predict(make(), X, y, cv=2, method=method)
    wide = [np.hstack([np.asarray(x).reshape(len(x), -1), np.reshape(part, (len(x), -1))]) for x, part in zip(X, first)]
    return make().fit(wide, [*y]).predict(wide)


def exchanged_within_lengths(X: Any) -> Any:
    lengths = [len(x) for x in X]
    score, _, _ = permutation_test_score(step_label(), X, tags(X), groups=lengths, cv=2, n_permutations=2)
    return score


def calibrated(X: Any) -> Any:
    decisions = flat(seqpipe.cross_val_predict(step_label(), X, tags(X), cv=2, method="decision_function"))
    return LogisticRegression().fit(decisions[:, None], flat(tags(X))).predict_proba(decisions[:, None])


def average(make: Any, X: Any, y: Any, method: str) -> Any:
    found = [getattr(make(cell).fit(X, y), method)(X) for cell in ("gru", "rnn")]
    return flat([np.mean(parts, axis=0) for parts in zip(*found)])


def three(X: Any) -> Any:
    """Return tables as sequences of one feature."""
    return X[:, :, None] if getattr(X, "ndim", 0) == 2 else X


#: The rows of the second table.
STEPS: dict[str, Run] = {
    "GridSearchCV": lambda X: (
        GridSearchCV(step_label(), SIZES, scoring="f1_macro", **STRICT).fit(X, tags(X)).predict(X)
    ),
    "RandomizedSearchCV": lambda X: (
        RandomizedSearchCV(step_number(), SIZES, n_iter=1, scoring="neg_mean_absolute_error", **STRICT)
        .fit(X, totals(X))
        .predict(X)
    ),
    "HalvingGridSearchCV": lambda X: HalvingGridSearchCV(step_label(), SIZES, **HALVING).fit(X, tags(X)).predict(X),
    "HalvingRandomSearchCV": lambda X: HalvingRandomSearchCV(step_label(), SIZES, **HALVING).fit(X, tags(X)).predict(X),
    "cross_val_score": lambda X: cross_val_score(step_label(), X, tags(X), scoring="roc_auc", **STRICT),
    "cross_validate": lambda X: cross_validate(
        step_label(), X, tags(X), scoring=["f1_macro", "neg_log_loss"], **STRICT
    )["test_neg_log_loss"],
    "cross_val_predict": lambda X: cross_val_predict(step_label(), X, tags(X), cv=2),
    'cross_val_predict(method="predict_proba")': lambda X: cross_val_predict(
        step_label(), X, tags(X), cv=2, method="predict_proba"
    ),
    "learning_curve": lambda X: learning_curve(step_number(), X, totals(X), scoring="r2", **CURVE)[2],
    "validation_curve": lambda X: validation_curve(step_label(), X, tags(X), scoring="f1_macro", **RANGE)[1],
    "permutation_test_score": lambda X: permutation_test_score(step_label(), X, tags(X), cv=2, n_permutations=2)[1],
    "metadata routing": lambda X: routed(step_label(), X, tags(X), step_weights(X)),
    "permutation_importance": lambda X: (
        sklearn.inspection.permutation_importance(
            step_label().fit(X, tags(X)), X, tags(X), n_repeats=1
        ).importances_mean
    ),
    "partial_dependence": lambda X: sklearn.inspection.partial_dependence(
        step_label().fit(X, tags(X)), X, [0], grid_resolution=2
    )["average"],
    "TransformedTargetRegressor": lambda X: (
        TransformedTargetRegressor(step_number(), func=np.cbrt, inverse_func=lambda y: y**3, check_inverse=False)
        .fit(X, totals(X))
        .predict(X)
    ),
    "CalibratedClassifierCV": lambda X: CalibratedClassifierCV(step_label(), cv=2).fit(X, tags(X)).predict_proba(X),
    "VotingClassifier": lambda X: VotingClassifier(two(step_label)).fit(X, tags(X)).predict(X),
    "VotingRegressor": lambda X: VotingRegressor(two(step_number)).fit(X, totals(X)).predict(X),
    "StackingClassifier": lambda X: StackingClassifier(two(step_label), cv=2).fit(X, tags(X)).predict(X),
    "StackingRegressor": lambda X: StackingRegressor(two(step_number), cv=2).fit(X, totals(X)).predict(X),
}
STEPS_INSTEAD: dict[str, Run] = {
    'cross_val_predict(method="predict_proba")': lambda X: flat(
        seqpipe.cross_val_predict(step_label(), X, tags(X), cv=2, method="predict_proba")
    ),
    "permutation_test_score": exchanged_within_lengths,
    "permutation_importance": lambda X: (
        inspection.permutation_importance(
            step_label().fit(X, tags(X)), X, tags(X), n_repeats=1, scoring="f1_macro"
        ).importances_mean
    ),
    "partial_dependence": lambda X: (
        inspection.partial_dependence(step_label().fit(three(X), tags(X)), three(X), 0, grid_resolution=2).average
    ),
    "TransformedTargetRegressor": lambda X: step_number().fit(X, [np.cbrt(y) for y in totals(X)]).predict(X) ** 3,
    "CalibratedClassifierCV": calibrated,
    "VotingClassifier": lambda X: average(step_label, X, tags(X), "predict_proba"),
    "VotingRegressor": lambda X: average(step_number, X, totals(X), "predict"),
    "StackingClassifier": lambda X: joined(step_label, X, tags(X), "predict_proba"),
    "StackingRegressor": lambda X: joined(step_number, X, totals(X), "predict"),
}


@pytest.mark.filterwarnings("ignore:Number of classes in training fold", "ignore:The groups parameter is ignored")
@pytest.mark.parametrize("kind", ["2-D", "3-D", "ragged"])
@pytest.mark.parametrize("row", STEPS)
def test_a_cell_says_what_happens(row: str, kind: str, table_of_steps: Any) -> None:
    table_of_steps.check_cell(row, kind, STEPS, STEPS_INSTEAD)


def test_the_rows_are_those_that_are_tested(table_of_steps: Any) -> None:
    table_of_steps.check_rows(STEPS, STEPS_INSTEAD)
