"""`check_estimator` passes estimators that keep the contract, and names the defect of one that does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seqpipe.estimators import LanguageModel, SequenceClassifier, SequenceRegressor
from seqpipe.exceptions import UnknownNameError
from seqpipe.testing import ESTIMATOR_CHECKS, CheckError, check_estimator

TINY = {"hidden_size": 2, "max_epochs": 2, "random_state": 0}


@pytest.mark.parametrize("cls", [SequenceClassifier, SequenceRegressor])
def test_seqpipes_own_pass(cls: Any) -> None:
    check_estimator(cls(**TINY))


class Forgetful(SequenceRegressor):
    """Ignores random_state."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        given, self.random_state = self.random_state, np.random.RandomState()
        super().fit(X, y, sample_weight)
        self.random_state = given
        return self


class GoesOn(SequenceRegressor):
    """A fit that begins where the last one ended."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        self.warm_start = hasattr(self, "net_")
        return super().fit(X, y, sample_weight)


class ChangesX(SequenceRegressor):
    def predict(self, X: Any) -> Any:
        predicted = super().predict(X)
        if isinstance(X, list) and len(X) > 1:
            X[0] = np.zeros_like(X[0])
        return predicted


class ChangesY(SequenceRegressor):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        y -= y.mean()
        return super().fit(X, y, sample_weight)


class ReadsTheBatch(SequenceRegressor):
    def predict(self, X: Any) -> Any:
        predicted = super().predict(X)
        return predicted - predicted.mean()


class Sorts(SequenceClassifier):
    def predict_proba(self, X: Any) -> Any:
        return np.sort(super().predict_proba(X), axis=0)


class LosesPart(SequenceRegressor):
    """Leaves behind, when pickled, something that predict needs."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        super().fit(X, y, sample_weight)
        self.offset_ = 1.0
        return self

    def predict(self, X: Any) -> Any:
        return super().predict(X) + getattr(self, "offset_", 0.0)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__getstate__().items() if key != "offset_"}


class PrefersLists(SequenceRegressor):
    def predict(self, X: Any) -> Any:
        return super().predict(X) + (not isinstance(X, list))


class FillsHoles(SequenceRegressor):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        if isinstance(X, list):
            X = [np.nan_to_num(x) if np.asarray(x).dtype == float else x for x in X]
        return super().fit(X, y, sample_weight)


class SaysLittle(SequenceRegressor):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        try:
            return super().fit(X, y, sample_weight)
        except ValueError as error:
            raise ValueError("bad input") from error


class CountsOneMore(SequenceRegressor):
    @property
    def n_features_in_(self) -> int:
        return self._n_features + 1

    @n_features_in_.setter
    def n_features_in_(self, n_features: int) -> None:
        self._n_features = n_features - 1 if n_features > 1 else n_features


class ReturnsNothing(SequenceRegressor):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        super().fit(X, y, sample_weight)


class NeverScores(SequenceRegressor):
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        return float("nan")


class TakesMissing(SequenceClassifier):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        return super().fit(X, ["none" if each is None else each for each in y], sample_weight)


class OneOutput(SequenceRegressor):
    """Leaves a second output out of its predictions."""

    def predict(self, X: Any) -> Any:
        predicted = super().predict(X)
        return predicted if predicted.ndim == 1 else predicted[:-1]


#: The check that finds each defect, and words of its message.
DEFECTS: dict[Any, tuple[str, str]] = {
    ReturnsNothing: ("fits_and_predicts", r"fit\(\) does not return the estimator: end it with return self"),
    OneOutput: ("fits_and_predicts", "With two targets: 40 samples give 39 predictions: return one per sample"),
    Forgetful: ("fits_repeat", "A second fit with the same random_state: .* Draw random numbers from random_state alone"),
    GoesOn: ("fits_repeat", "Refitting instead of fitting a new estimator: the predictions of sample 0 differ"),
    ChangesX: ("data_is_not_changed", "fit or predict changed X: work on a copy"),
    ChangesY: ("data_is_not_changed", "fit or predict changed y: work on a copy"),
    ReadsTheBatch: ("batches_do_not_matter", "Alone instead of in a batch: the predictions of sample 0 differ"),
    Sorts: ("batches_do_not_matter", "Alone instead of in a batch: the probabilities of sample 0 differ"),
    LosesPart: ("fitted_models_are_pickled", "After pickling: .* Keep all that predict reads when it is pickled"),
    PrefersLists: ("input_kinds_agree", "A fit to tuple: the predictions of sample 0 differ"),
    NeverScores: ("model_selection_works", r"A Pipeline gives no score: let score\(X, y\) return a finite number"),
    FillsHoles: ("bad_input_is_refused", "fit with NaN does not raise an error: raise a ValueError"),
    SaysLittle: (
        "bad_input_is_refused",
        "fit with NaN: the error message does not contain 'sample 3, step 1': bad input. Say what is wrong, and where",
    ),
    TakesMissing: ("missing_targets_are_handled", "a missing target does not raise an error: raise a ValueError"),
    CountsOneMore: (
        "three_dimensional_input_works",
        r"n_features_in_ of \(n_samples, n_timesteps, 1\) is not 1 but 2: set it to the size of the last axis",
    ),
}  # fmt: skip


@pytest.mark.parametrize("cls", DEFECTS)
def test_a_defect_is_found_and_named(cls: Any) -> None:
    check, words = DEFECTS[cls]
    with pytest.raises(CheckError, match=words):
        check_estimator(cls(**TINY), include=[check])


def test_every_check_finds_a_defect() -> None:
    assert {check for check, _ in DEFECTS.values()} == {check.name for check in ESTIMATOR_CHECKS}


def test_the_other_checks_pass() -> None:
    report = check_estimator(LosesPart(**TINY), raise_exceptions=False)
    assert [result.name for result in report.failed] == ["fitted_models_are_pickled"]
    assert report.subject == "LosesPart"


def test_a_check_that_does_not_apply_is_skipped_with_the_reason() -> None:
    report = check_estimator(LanguageModel(**TINY), include=["missing_targets_are_handled"])
    assert (report.results[0].status, report.results[0].message) == ("skipped", "it requires no targets")


def test_an_unknown_check_is_refused() -> None:
    with pytest.raises(
        UnknownNameError, match=r"check_estimator has no check 'fit_repeat'\. Did you mean 'fits_repeat'"
    ):
        check_estimator(SequenceRegressor(**TINY), include=["fit_repeat"])


def test_an_estimator_without_a_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="needs an estimator instance with an int as random_state"):
        check_estimator(SequenceRegressor())
