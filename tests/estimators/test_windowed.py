"""`WindowedRegressor`: fits windows, predicts rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from seqpipe.estimators import SequenceRegressor, WindowedRegressor
from seqpipe.exceptions import InvalidSequencesError

TINY = {"hidden_size": 8, "max_epochs": 40, "random_state": 0}
X = np.random.default_rng(0).normal(size=(200, 1))
y = np.r_[0, 0, X[:-2, 0]]


def test_it_sees_as_far_back_as_its_window() -> None:
    far = WindowedRegressor(SequenceRegressor(**TINY), window=3).fit(X, y)
    near = WindowedRegressor(SequenceRegressor(**TINY), window=2).fit(X, y)
    assert far.score(X, y) > 0.9 > 0.3 > near.score(X, y)


def test_the_window_is_searched() -> None:
    search = GridSearchCV(
        WindowedRegressor(SequenceRegressor(**TINY)),
        {"window": [1, 3], "estimator__cell": ["gru"]},
        cv=TimeSeriesSplit(2),
    )
    assert search.fit(X, y).best_params_["window"] == 3


def test_a_regressor_that_takes_no_sequences_gets_the_windows_flat() -> None:
    model = WindowedRegressor(LinearRegression(), window=3).fit(X, y)
    assert model.estimator_.n_features_in_ == 3
    assert model.score(X[2:], y[2:]) > 0.99


def test_a_prediction_at_a_row_ignores_later_rows() -> None:
    model = WindowedRegressor(SequenceRegressor(**TINY, dtype="float64"), window=3).fit(X, y)
    np.testing.assert_allclose(model.predict(X[:50]), model.predict(X)[:50], rtol=1e-10)


def test_sample_weights_reach_the_regressor_inside_with_and_without_routing() -> None:
    weight = np.r_[np.ones(100), np.zeros(100)]
    plain = WindowedRegressor(SequenceRegressor(**TINY), window=3).fit(X, y, sample_weight=weight)
    with sklearn.config_context(enable_metadata_routing=True):
        inner = SequenceRegressor(**TINY).set_fit_request(sample_weight=True)
        routed = WindowedRegressor(inner, window=3).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(plain.predict(X), routed.predict(X))


def test_the_default_regressor_is_recurrent() -> None:
    model = WindowedRegressor(window=2).set_params(estimator=SequenceRegressor(**TINY)).fit(X, y)
    assert isinstance(model.estimator_, SequenceRegressor)
    assert model.predict(X).shape == (200,)


def test_a_window_of_no_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="The 'window' parameter of WindowedRegressor must be"):
        WindowedRegressor(window=0).fit(X, y)


def test_rows_out_of_order_are_refused_by_fit_and_predict() -> None:
    rows = pd.DataFrame(X[:20], columns=["x"])
    model = WindowedRegressor(LinearRegression(), window=3).fit(rows, y[:20])
    shuffled = rows.sample(frac=1, random_state=0)
    with pytest.raises(InvalidSequencesError, match=r"rows of X must be in order of time.*train_test_split"):
        model.predict(shuffled)
    with pytest.raises(InvalidSequencesError, match="rows of X must be in order of time"):
        model.fit(shuffled, y[:20])


def test_rows_of_several_series_are_refused() -> None:
    panel = pd.DataFrame(X[:20], index=pd.MultiIndex.from_product([["a", "b"], range(10)], names=["unit", "t"]))
    with pytest.raises(InvalidSequencesError, match="and 2 series, but WindowedRegressor takes one"):
        WindowedRegressor(LinearRegression(), window=3).fit(panel, y[:20])
