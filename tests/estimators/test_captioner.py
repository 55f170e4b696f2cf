"""Vectors to texts."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqpipe.datasets import load_digit_names
from seqpipe.estimators import SequenceCaptioner

TINY = {"hidden_size": 8, "encoder_size": 8, "embedding": 4, "max_epochs": 3, "random_state": 0}


def corners(n: int = 80) -> tuple[np.ndarray, list[str]]:
    """Return points of a plane, and words that describe their position."""
    X = np.random.default_rng(0).normal(size=(n, 2))
    return X, [("left" if a < 0 else "right") + (" down" if b < 0 else " up") for a, b in X]


@pytest.mark.slow
@pytest.mark.parametrize(("encoder_size", "max_epochs"), [(32, 12), (None, 40)])
def test_words_for_a_place_are_learnt(encoder_size: int | None, max_epochs: int) -> None:
    X, y = corners(600)
    model = SequenceCaptioner(hidden_size=32, encoder_size=encoder_size, max_epochs=max_epochs, random_state=0)
    assert model.fit(X[:500], y[:500]).score(X[500:], y[500:]) > 0.9


def test_digits_are_named_after_few_epochs() -> None:
    digits = load_digit_names()
    model = SequenceCaptioner(max_epochs=3, random_state=0).fit(digits.X[:1200], digits.y[:1200])
    assert model.score(digits.X[1200:], digits.y[1200:]) > 0.8


def test_images_are_flattened_and_tables_are_taken() -> None:
    X = np.random.default_rng(0).normal(size=(20, 3, 4))
    y = ["odd", "even"] * 10
    expected = SequenceCaptioner(**TINY).fit(X.reshape(20, 12), y).predict_n_best(X.reshape(20, 12), 2)
    images = SequenceCaptioner(**TINY).fit(X, y)
    assert images.n_features_in_ == 12
    assert images.predict_n_best(X, 2) == expected
    table = pd.DataFrame(X.reshape(20, 12), columns=[f"x{i}" for i in range(12)])
    assert SequenceCaptioner(**TINY).fit(table, y).predict_n_best(table, 2) == expected


def test_fits_repeat_and_pickle() -> None:
    X, y = corners()
    model = SequenceCaptioner(**TINY, dropout=0.3, scheduled_sampling=0.3).fit(X, y)
    expected = model.predict_n_best(X, 2)
    assert clone(model).fit(X, y).predict_n_best(X, 2) == expected
    assert pickle.loads(pickle.dumps(model)).predict_n_best(X, 2) == expected


def test_a_pipeline_and_a_search_over_cells() -> None:
    X, y = corners()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), SequenceCaptioner(**TINY)),
        {"sequencecaptioner__cell": ["rnn", "lstm"]},
        cv=2,
        error_score="raise",
    ).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_inputs_are_standardised_unless_told_not_to() -> None:
    X, y = corners()
    far = SequenceCaptioner(**TINY).fit(1000 + 5 * X, y)
    np.testing.assert_allclose(far.net_.module_.input.shift, 1000 + 5 * X.mean(axis=0), rtol=1e-4)
    assert not SequenceCaptioner(**TINY, scale_inputs=False).fit(X, y).net_.module_.input.shift.any()


def test_vectors_that_cannot_be_are_refused() -> None:
    X, y = corners()
    hole = X.copy()
    hole[3, 1] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        SequenceCaptioner(**TINY).fit(hole, y)
    model = SequenceCaptioner(**TINY).fit(X, y)
    with pytest.raises(ValueError, match="3 features, but SequenceCaptioner is expecting 2"):
        model.predict(np.ones((1, 3)))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, y[:-1])
