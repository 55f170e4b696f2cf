"""Each cell of the first table in docs/scikit-learn.md is what happens, and what it names instead works."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
import sklearn.inspection
import sklearn.model_selection
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFE, RFECV, SelectFromModel, SequentialFeatureSelector
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RANSACRegressor, RidgeCV
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils import all_estimators

from seqpipe import inspection
from seqpipe.estimators import SequenceClassifier, SequenceRegressor
from seqpipe.transformers import SequenceColumnTransformer, SequenceScaler, sequence_union

THREE, TWO = np.arange(18) % 3, np.arange(18) % 2
PARTLY = np.where(np.arange(18) < 4, -1, TWO)
LABELS = np.stack([TWO, np.arange(18) // 2 % 2], axis=1)
NUMBERS = np.random.default_rng(0).normal(size=18)
COLUMNS = np.stack([NUMBERS, NUMBERS**2], axis=1)
WEIGHTS = np.linspace(0.5, 1.5, 18)
SIZES = {"hidden_size": [2, 3]}
SMALL = {"hidden_size": 2, "max_epochs": 1, "random_state": 0}
STRICT: dict[str, Any] = {"cv": 2, "error_score": "raise"}
CURVE: dict[str, Any] = {**STRICT, "train_sizes": [0.5, 1.0]}
RANGE: dict[str, Any] = {**STRICT, "param_name": "hidden_size", "param_range": [2, 3]}
HALVING: dict[str, Any] = {**STRICT, "min_resources": 9, "random_state": 0}

Run = Callable[[Any], Any]


def label(cell: str = "gru") -> SequenceClassifier:
    return SequenceClassifier(cell, **SMALL)


def number(cell: str = "gru") -> SequenceRegressor:
    return SequenceRegressor(cell, **SMALL)


def two(make: Callable[[str], Any]) -> list[tuple[str, Any]]:
    return [("a", make("gru")), ("b", make("rnn"))]


def routed(model: Any, X: Any, y: Any, weight: Any) -> Any:
    with sklearn.config_context(enable_metadata_routing=True):
        own = model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(own, SIZES, **STRICT)
        return search.fit(X, y, sample_weight=weight).predict(X)


def unchecked(run: Run) -> Run:
    def with_column(X: Any) -> Any:
        with sklearn.config_context(assume_finite=True):
            return run(pd.DataFrame({"sequence": [*X]}))

    return with_column


def by_row_number(make: Callable[[Any], Any], y: Any) -> Run:
    def run(X: Any) -> Any:
        rows = np.arange(18)[:, None]
        return make(FunctionTransformer(lambda chosen: [X[i] for i in chosen[:, 0]])).fit(rows, y).predict(rows)

    return run


def with_means(stack: Any, make: Callable[[], Any], last: Any, y: Any) -> Run:
    means = FunctionTransformer(lambda X: np.array([x.mean(axis=0) for x in X]))
    return lambda X: stack([("a", make()), ("b", make_pipeline(means, last))], cv=2).fit(X, y).predict(X)


def over_features(X: Any) -> Any:
    X = X[:, :, None] if getattr(X, "ndim", 0) == 2 else X
    model = make_pipeline(SequenceColumnTransformer([("kept", "passthrough", [0])]), label())
    candidates = [[("kept", "passthrough", features)] for features in ([0], [-1])]
    return (
        GridSearchCV(model, {"sequencecolumntransformer__transformers": candidates}, **STRICT).fit(X, THREE).predict(X)
    )


#: The rows of the first table.
SEQUENCES: dict[str, Run] = {
    "Pipeline": lambda X: make_pipeline(SequenceScaler(), label()).fit(X, THREE).predict(X),
    "GridSearchCV": lambda X: GridSearchCV(label(), SIZES, **STRICT).fit(X, THREE).predict(X),
    "RandomizedSearchCV": lambda X: RandomizedSearchCV(label(), SIZES, n_iter=1, **STRICT).fit(X, THREE).predict(X),
    "HalvingGridSearchCV": lambda X: HalvingGridSearchCV(label(), SIZES, **HALVING).fit(X, TWO).predict(X),
    "HalvingRandomSearchCV": lambda X: HalvingRandomSearchCV(label(), SIZES, **HALVING).fit(X, TWO).predict(X),
    "cross_val_score": lambda X: cross_val_score(label(), X, THREE, scoring="f1_macro", **STRICT),
    "cross_validate": lambda X: cross_validate(label(), X, TWO, scoring=["roc_auc", "f1"], **STRICT)["test_roc_auc"],
    "cross_val_predict": lambda X: cross_val_predict(label(), X, THREE, cv=2, method="decision_function"),
    "learning_curve": lambda X: learning_curve(label(), X, TWO, **CURVE)[2],
    "validation_curve": lambda X: validation_curve(label(), X, TWO, **RANGE)[1],
    "permutation_test_score": lambda X: permutation_test_score(label(), X, TWO, cv=2, n_permutations=2)[1],
    "metadata routing": lambda X: routed(label(), X, TWO, WEIGHTS),
    "CalibratedClassifierCV": lambda X: CalibratedClassifierCV(label(), cv=2).fit(X, THREE).predict_proba(X),
    "FrozenEstimator": lambda X: CalibratedClassifierCV(FrozenEstimator(label().fit(X, TWO))).fit(X, TWO).predict(X),
    "FixedThresholdClassifier": lambda X: FixedThresholdClassifier(label(), threshold=0.4).fit(X, TWO).predict(X),
    "TunedThresholdClassifierCV": lambda X: (
        TunedThresholdClassifierCV(label(), cv=2, thresholds=3).fit(X, TWO).predict(X)
    ),
    "TransformedTargetRegressor": lambda X: (
        TransformedTargetRegressor(number(), func=np.cbrt, inverse_func=lambda y: y**3).fit(X, NUMBERS).predict(X)
    ),
    "VotingClassifier": lambda X: VotingClassifier(two(label), voting="soft").fit(X, THREE).predict(X),
    "VotingRegressor": lambda X: VotingRegressor(two(number)).fit(X, NUMBERS).predict(X),
    "StackingClassifier": lambda X: StackingClassifier(two(label), cv=2).fit(X, THREE).predict(X),
    "StackingRegressor": lambda X: StackingRegressor(two(number), cv=2).fit(X, NUMBERS).predict(X),
    "StackingClassifier(passthrough=True)": lambda X: (
        StackingClassifier(two(label), cv=2, passthrough=True).fit(X, THREE).predict(X)
    ),
    "StackingRegressor(passthrough=True)": lambda X: (
        StackingRegressor(two(number), cv=2, passthrough=True).fit(X, NUMBERS).predict(X)
    ),
    "BaggingClassifier": lambda X: BaggingClassifier(label(), 2).fit(X, THREE).predict(X),
    "BaggingRegressor": lambda X: BaggingRegressor(number(), 2).fit(X, NUMBERS).predict(X),
    "AdaBoostClassifier": lambda X: (
        AdaBoostClassifier(SequenceClassifier(hidden_size=8, max_epochs=20, lr=0.05), n_estimators=2, random_state=0)
        .fit(X, TWO)
        .predict(X)
    ),
    "AdaBoostRegressor": lambda X: AdaBoostRegressor(number(), n_estimators=2).fit(X, NUMBERS).predict(X),
    "OneVsRestClassifier": lambda X: OneVsRestClassifier(label()).fit(X, THREE).predict(X),
    "OneVsOneClassifier": lambda X: OneVsOneClassifier(label()).fit(X, THREE).predict(X),
    "OutputCodeClassifier": lambda X: OutputCodeClassifier(label(), random_state=0).fit(X, THREE).predict(X),
    "MultiOutputClassifier": lambda X: MultiOutputClassifier(label()).fit(X, LABELS).predict(X),
    "MultiOutputRegressor": lambda X: MultiOutputRegressor(number()).fit(X, COLUMNS).predict(X),
    "ClassifierChain": lambda X: ClassifierChain(label()).fit(X, LABELS).predict(X),
    "RegressorChain": lambda X: RegressorChain(number()).fit(X, COLUMNS).predict(X),
    "SelfTrainingClassifier": lambda X: SelfTrainingClassifier(label()).fit(X, PARTLY).predict(X),
    "RANSACRegressor": lambda X: (
        RANSACRegressor(number(), min_samples=9, max_trials=2, residual_threshold=9).fit(X, NUMBERS).predict(X)
    ),
    "FeatureUnion": lambda X: FeatureUnion([("a", SequenceScaler()), ("b", SequenceScaler("robust"))]).fit_transform(X),
    "ColumnTransformer": lambda X: ColumnTransformer([("a", SequenceScaler(), [0])]).fit_transform(X),
    "permutation_importance": lambda X: (
        sklearn.inspection.permutation_importance(label().fit(X, TWO), X, TWO, n_repeats=1).importances_mean
    ),
    "partial_dependence": lambda X: sklearn.inspection.partial_dependence(
        label().fit(X, TWO), X, [0], grid_resolution=2
    )["average"],
    "SequentialFeatureSelector": lambda X: (
        SequentialFeatureSelector(label(), n_features_to_select=1, cv=2).fit(X, TWO).transform(X)
    ),
    "RFE": lambda X: RFE(label()).fit(X, TWO).predict(X),
    "RFECV": lambda X: RFECV(label(), cv=2).fit(X, TWO).predict(X),
    "SelectFromModel": lambda X: SelectFromModel(label()).fit(X, TWO).transform(X),
}
SEQUENCES_INSTEAD: dict[str, Run] = {
    "StackingClassifier(passthrough=True)": with_means(StackingClassifier, label, LogisticRegression(), THREE),
    "StackingRegressor(passthrough=True)": with_means(StackingRegressor, number, RidgeCV(), NUMBERS),
    "AdaBoostClassifier": unchecked(SEQUENCES["AdaBoostClassifier"]),
    "AdaBoostRegressor": unchecked(SEQUENCES["AdaBoostRegressor"]),
    "OneVsOneClassifier": lambda X: label().fit(X, THREE).predict(X),
    "ClassifierChain": lambda X: label().fit(X, LABELS).predict(X),
    "RegressorChain": lambda X: number().fit(X, COLUMNS).predict(X),
    "SelfTrainingClassifier": by_row_number(
        lambda look_up: SelfTrainingClassifier(make_pipeline(look_up, label())), PARTLY
    ),
    "RANSACRegressor": by_row_number(
        lambda look_up: RANSACRegressor(
            make_pipeline(look_up, number()), min_samples=9, max_trials=2, residual_threshold=9
        ),
        NUMBERS,
    ),
    "FeatureUnion": lambda X: sequence_union(SequenceScaler(), SequenceScaler("robust")).fit_transform(X),
    "ColumnTransformer": lambda X: SequenceColumnTransformer([("a", SequenceScaler(), [0])]).fit_transform(X),
    "permutation_importance": lambda X: (
        inspection.permutation_importance(label().fit(X, TWO), X, TWO, n_repeats=1).importances_mean
    ),
    "partial_dependence": lambda X: inspection.partial_dependence(label().fit(X, TWO), X, 0, grid_resolution=2).average,
    "SequentialFeatureSelector": over_features,
    "RFE": over_features,
    "RFECV": over_features,
    "SelectFromModel": over_features,
}


@pytest.mark.parametrize("kind", ["2-D", "3-D", "ragged"])
@pytest.mark.parametrize("row", SEQUENCES)
def test_a_cell_says_what_happens(row: str, kind: str, table_of_sequences: Any) -> None:
    table_of_sequences.check_cell(row, kind, SEQUENCES, SEQUENCES_INSTEAD)


def test_the_rows_are_those_that_are_tested(table_of_sequences: Any) -> None:
    table_of_sequences.check_rows(SEQUENCES, SEQUENCES_INSTEAD)


@pytest.mark.filterwarnings("ignore")
def test_everything_of_scikit_learn_that_takes_an_estimator_has_a_row(table_of_sequences: Any) -> None:
    inside = {"estimator", "estimators", "steps", "transformers", "transformer_list", "regressor"}
    classes = [name for name, kind in all_estimators() if inside & {*inspect.signature(kind.__init__).parameters}]
    modules = (sklearn.inspection, sklearn.model_selection)
    functions = [
        name
        for module in modules
        for name in module.__all__
        if inspect.isfunction(found := getattr(module, name, None))
        and "estimator" in inspect.signature(found).parameters
    ]
    assert len(classes) > 25
    assert len(functions) == 8
    assert {*classes, *functions} <= {*table_of_sequences.rows}
