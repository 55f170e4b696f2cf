"""Echo state estimators: scikit-learn's checks, ragged input, and the closed form."""

import pickle

import numpy as np
import pandas as pd
import pytest
from seqpipe_classic import EchoStateClassifier, EchoStateRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqpipe import Sequences, SequenceScaler

#: Forms of the same ragged sequences.
FORMS = {
    "list": list,
    "Series": pd.Series,
    "Sequences": Sequences.from_arrays,
    "nested lists": lambda arrays: [array.tolist() for array in arrays],
}
BOTH = pytest.mark.parametrize("kind", [EchoStateClassifier, EchoStateRegressor])


def waves(n: int = 60, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Return noisy waves of unequal lengths, and their frequencies."""
    rng = np.random.default_rng(seed)
    frequencies = rng.uniform(0.2, 1.0, size=n)
    lengths = rng.integers(20, 40, size=n)
    noise = [rng.normal(scale=0.05, size=(length, 2)) for length in lengths]
    phases = [np.arange(length)[:, None] * f + [0, 1] for length, f in zip(lengths, frequencies)]
    return [np.sin(phase) + each for phase, each in zip(phases, noise)], frequencies


@parametrize_with_checks([EchoStateClassifier(100, random_state=0), EchoStateRegressor(100, random_state=0)])
def test_the_estimators_pass_scikit_learns_checks(estimator, check) -> None:
    check(estimator)


def test_frequencies_of_unseen_waves_are_predicted() -> None:
    model = EchoStateRegressor(100, alpha=0.01, random_state=0).fit(*waves())
    assert model.score(*waves(seed=1)) > 0.95


def test_classes_of_unseen_waves_are_predicted() -> None:
    names = np.array(["slow", "middle", "fast"])
    (X, f), (X_new, f_new) = waves(), waves(seed=1)
    model = EchoStateClassifier(100, alpha=0.01, random_state=0).fit(X, names[np.digitize(f, [0.4, 0.7])])
    assert model.classes_.tolist() == ["fast", "middle", "slow"]
    assert model.decision_function(X_new).shape == (60, 3)
    assert model.score(X_new, names[np.digitize(f_new, [0.4, 0.7])]) > 0.8


def test_the_readout_is_ridge_regression_on_the_last_and_the_mean_state() -> None:
    X, y = waves(20)
    model = EchoStateRegressor(10, spectral_radius=0.8, leak=0.5, alpha=0.1, random_state=0).fit(X, y)
    W, W_in, b = (getattr(model.reservoir_.cells[0], name).numpy() for name in ("W", "W_in", "b"))
    assert np.abs(np.linalg.eigvals(W)).max() == pytest.approx(0.8)
    features = []
    for u in X:
        states = [np.zeros(10)]
        for u_t in u:
            states.append(0.5 * states[-1] + 0.5 * np.tanh(W_in @ u_t + W @ states[-1] + b))
        features.append(np.concatenate([states[-1], np.mean(states[1:], axis=0)]))
    expected = Ridge(alpha=0.1).fit(features, y).predict(features)
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-9)


@BOTH
@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_ragged_input_are_the_same(kind, form: str) -> None:
    X, f = waves(20)
    given = FORMS[form](X)
    model = kind(10, random_state=0).fit(given, f > 0.6)
    assert model.n_features_in_ == 2
    np.testing.assert_array_equal(model.predict(given), kind(10, random_state=0).fit(X, f > 0.6).predict(X))


def test_the_batch_of_a_sequence_does_not_matter() -> None:
    X, y = waves(300)
    model = EchoStateRegressor(10, random_state=0).fit(X, y)
    alone = np.concatenate([model.predict([x]) for x in X])
    np.testing.assert_allclose(model.predict(X), alone, rtol=1e-9)


def test_several_outputs_and_equal_lengths_are_fitted() -> None:
    X, y = np.random.default_rng(0).normal(size=(30, 6, 2)), np.random.default_rng(1).normal(size=(30, 3))
    model = EchoStateRegressor(10, random_state=0).fit(X, y)
    assert model.predict(Sequences.from_padded(X)).shape == (30, 3)


def test_parameters_are_searched_in_a_pipeline() -> None:
    pipeline = make_pipeline(SequenceScaler(), EchoStateRegressor(20, random_state=0))
    grid = {"echostateregressor__leak": [0.1, 0.9], "echostateregressor__alpha": [0.01, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(*waves())
    assert search.best_score_ > 0.7


@BOTH
def test_a_pickled_estimator_predicts_the_same(kind) -> None:
    X, f = waves(20)
    model = kind(10, random_state=0).fit(X, f > 0.6)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


@BOTH
def test_an_estimator_may_be_fitted_again_to_input_of_another_kind(kind) -> None:
    X, f = waves(20)
    model = kind(10, random_state=0).fit(np.random.default_rng(0).normal(size=(20, 7)), f > 0.6)
    assert model.n_features_in_ == 7
    assert model.fit(X, f > 0.6).n_features_in_ == 2


@BOTH
def test_another_number_of_features_is_refused(kind) -> None:
    X, f = waves(20)
    model = kind(10, random_state=0).fit(X, f > 0.6)
    with pytest.raises(ValueError, match=f"X has 3 features, but {kind.__name__} is expecting 2 features as input"):
        model.predict([np.ones((4, 3))])


@BOTH
def test_missing_values_and_targets_are_refused(kind) -> None:
    X, f = waves(20)
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        kind(10).fit(X, None)
    X[3][1, 0] = np.nan
    with pytest.raises(ValueError, match="sample 3, step 1"):
        kind(10).fit(X, f > 0.6)
