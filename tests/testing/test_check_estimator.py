"""`check_estimator` passes estimators that keep the contract, and names the defect of one that does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seqpipe.estimators import SequenceClassifier, SequenceRegressor
from seqpipe.testing import check_estimator

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


DEFECTS: dict[Any, str] = {
    Forgetful: "a fit to list differ",
    GoesOn: "refitting differs from fitting a new estimator",
    ChangesX: "fit or predict changed X",
    ChangesY: "fit changed y",
    ReadsTheBatch: "alone and batched predictions differ",
    Sorts: "alone and batched predictions differ",
    LosesPart: "predictions change after pickling",
    PrefersLists: "predictions of tuple differ",
    FillsHoles: "fit with NaN does not raise an error",
    SaysLittle: "fit with NaN: the error message does not contain 'sample 3, step 1': bad input",
    CountsOneMore: r"n_features_in_ of \(n_samples, n_timesteps, 1\) is not 1",
}


@pytest.mark.parametrize("cls", DEFECTS)
def test_a_defect_is_found_and_named(cls: Any) -> None:
    with pytest.raises(AssertionError, match=DEFECTS[cls]):
        check_estimator(cls(**TINY))
