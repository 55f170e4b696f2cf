"""The average prediction as a function of one feature of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.inspection import partial_dependence as of_columns
from sklearn.linear_model import LinearRegression

from seqpipe.estimators import SequenceClassifier, StepRegressor
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.inspection import partial_dependence

SMALL = {"hidden_size": 3, "max_epochs": 1, "random_state": 0}
rng = np.random.default_rng(0)
RAGGED = [rng.normal(size=(n, 2)) for n in rng.integers(3, 8, size=20)]
CUBE = rng.normal(size=(20, 4, 2))


class Sums(BaseEstimator):
    """Predicts the mean over time of twice the first feature less the second."""

    def fit(self, X: Any, y: Any = None) -> Sums:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: Any) -> Any:
        return np.array([(2 * x[:, 0] - x[:, 1]).mean() for x in X])


@pytest.mark.parametrize("X", [RAGGED, CUBE], ids=["ragged", "3-D"])
def test_a_linear_dependence_is_a_line(X: Any) -> None:
    others = np.mean([x[:, 1].mean() for x in X])
    found = partial_dependence(Sums(), X, 0, grid_resolution=5)
    np.testing.assert_allclose(found.average[0], 2 * found.grid_values - others)
    values = np.concatenate([x[:, 0] for x in X])
    np.testing.assert_allclose(found.grid_values[[0, -1]], np.quantile(values, [0.05, 0.95]))


def test_a_shift_keeps_the_course_in_time() -> None:
    found = partial_dependence(Sums(), RAGGED, 1, change="shift", grid_resolution=3)
    np.testing.assert_allclose(found.average[0], Sums().predict(RAGGED).mean() - found.grid_values)


def test_sequences_of_one_step_give_what_scikit_learn_gives_for_the_table() -> None:
    table = CUBE[:, 0]
    model = LinearRegression().fit(table, 2 * table[:, 0] - table[:, 1])
    theirs = of_columns(model, table, [0], grid_resolution=4, percentiles=(0, 1))
    ours = partial_dependence(Sums(), table[:, None], 0, grid_resolution=4, percentiles=(0, 1))
    np.testing.assert_allclose(ours.average, theirs["average"], atol=1e-9)


def test_a_classifier_has_one_row_per_class_and_a_step_estimator_averages_all_steps() -> None:
    classifier = SequenceClassifier(**SMALL).fit(RAGGED, np.arange(20) % 3)
    found = partial_dependence(classifier, RAGGED, 0, grid_resolution=2)
    np.testing.assert_allclose(found.average.sum(axis=0), 1, rtol=1e-6)
    steps = StepRegressor(**SMALL).fit(CUBE, CUBE[:, :, 0])  # predictions of shape (n_samples, n_timesteps)
    assert partial_dependence(steps, CUBE, 0, grid_resolution=2).average.shape == (1, 2)


def test_features_have_names() -> None:
    frames = [pd.DataFrame(x, columns=["speed", "load"]) for x in RAGGED]
    by_name = partial_dependence(Sums(), frames, "load", grid_resolution=2)
    np.testing.assert_array_equal(by_name.average, partial_dependence(Sums(), RAGGED, 1, grid_resolution=2).average)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"feature": "speed"}, r"must be one of \['x0', 'x1'\].*Got 'speed'"),
        ({"feature": 2}, "an index below 2. Got 2"),
        ({"feature": 0, "change": "add"}, "'change' parameter .* must be 'set' or 'shift'. Got 'add'"),
        ({"feature": 0, "grid_resolution": 1}, "'grid_resolution' parameter .* at least 2. Got 1"),
        ({"feature": 0, "percentiles": (0.9, 0.1)}, "'percentiles' parameter .* increasing numbers from 0 to 1"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSequencesError, match=words):
        partial_dependence(Sums(), RAGGED, **arguments)
