"""What both transformers share: the form of the input, remembered and compared, and sklearn's machinery."""

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences
from seqpipe.transformers import PadSequences, SequenceScaler

TRANSFORMERS = [SequenceScaler(), PadSequences()]
each_transformer = pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda t: type(t).__name__)


def flat(X):
    return X.reshape(len(X), -1)


def ragged(names=None, n_features=2):
    values = np.random.default_rng(0).normal(size=(9, n_features))
    return Sequences(values, [0, 2, 5, 9], feature_names=names)


def two_classes(n_samples=60):
    """Ragged sequences whose classes differ in the sign of their trend."""
    rng = np.random.default_rng(0)
    y = np.arange(n_samples) % 2
    arrays = [
        np.linspace(0, 1 - 2 * k, n)[:, None] + rng.normal(0, 0.2, (n, 1))
        for k, n in zip(y, rng.integers(4, 9, n_samples), strict=True)
    ]
    return Sequences.from_arrays(arrays), y


KINDS = {
    "Sequences": lambda X: X,
    "list": list,
    "object array": np.asarray,
    "Series": lambda X: pd.Series(list(X)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_ragged_input_of_any_kind_is_split_cross_validated_and_searched(kind):
    X, y = two_classes()
    X = KINDS[kind](X)
    model = make_pipeline(SequenceScaler(), PadSequences(), FunctionTransformer(flat), LogisticRegression())
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
    assert clone(model).fit(X_train, y_train).score(X_test, y_test) > 0.9
    assert cross_val_score(model, X, y, cv=3).min() > 0.9
    grid = {"padsequences__padding": ["pre", "post"], "sequencescaler__method": ["standard", "robust"]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.9


def test_an_array_of_three_dimensions_goes_the_same_way():
    X = np.random.default_rng(0).normal(size=(40, 5, 2))
    y = (X[:, -1, 0] > 0).astype(int)
    model = make_pipeline(
        SequenceScaler("minmax"), PadSequences(), FunctionTransformer(flat), LogisticRegression(C=100)
    )
    assert cross_val_score(model, X, y, cv=3).mean() > 0.8


@each_transformer
def test_a_fitted_transformer_survives_clone_pickle_and_hash(transformer):
    fitted = clone(transformer).fit(ragged(["a", "b"]))
    back = pickle.loads(pickle.dumps(fitted))
    out, again = fitted.transform(ragged(["a", "b"])), back.transform(ragged(["a", "b"]))
    assert joblib.hash(out) == joblib.hash(again)
    assert joblib.hash(clone(fitted).fit(ragged(["a", "b"]))) == joblib.hash(fitted)


@each_transformer
def test_an_unfitted_transformer_says_so(transformer):
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        clone(transformer).transform(ragged())


@each_transformer
@pytest.mark.parametrize(
    ("X", "n_features", "names"),
    [
        (ragged(), 2, None),
        (ragged(["a", "b"]), 2, ["a", "b"]),
        (np.ones((3, 5, 4)), 4, None),
        (np.ones((3, 5)), 5, None),
        (pd.DataFrame(np.ones((3, 2)), columns=["p", "q"]), 2, ["p", "q"]),
    ],
)
def test_the_features_of_a_step_or_the_columns_of_a_table_are_counted(transformer, X, n_features, names):
    fitted = clone(transformer).fit(X)
    assert fitted.n_features_in_ == n_features
    assert getattr(fitted, "feature_names_in_", np.array(None)).tolist() == names


@each_transformer
@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "c"], "Feature names unseen at fit time:\n- c"),
        (["b", "a"], "Feature names must be in the same order"),
    ],
)
def test_renamed_or_reordered_features_are_refused(transformer, names, message):
    fitted = clone(transformer).fit(ragged(["a", "b"]))
    with pytest.raises(ValueError, match=message):
        fitted.transform(ragged(names))


@each_transformer
def test_sequences_without_names_are_taken_with_scikit_learns_warning(transformer):
    fitted = clone(transformer).fit(ragged(["a", "b"]))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        fitted.transform(ragged())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.transform(ragged(["a", "b"]))


@each_transformer
@pytest.mark.parametrize(
    "X", [ragged(n_features=3), np.ones((2, 4, 3)), [np.ones((2, 3))]], ids=["own", "array", "list"]
)
def test_another_number_of_features_is_refused(transformer, X):
    fitted = clone(transformer).fit(ragged())
    name = type(transformer).__name__
    with pytest.raises(ValueError, match=f"X has 3 features, but {name} is expecting 2 features"):
        fitted.transform(X)


@each_transformer
def test_a_table_and_sequences_are_not_mixed_up(transformer):
    with pytest.raises(InvalidSequencesError, match=r"was fitted to a table .* and got sequences"):
        clone(transformer).fit(np.ones((3, 2))).transform(ragged())
    with pytest.raises(
        InvalidSequencesError, match=r"fitted to sequences of 2 features and got a table of shape \(3, 2\)"
    ):
        clone(transformer).fit(ragged()).transform(np.ones((3, 2)))


@each_transformer
def test_univariate_lists_that_happen_to_be_equally_long_are_still_sequences(transformer):
    fitted = clone(transformer).fit([[1.0, 2.0], [3.0, 4.0, 5.0]])
    alone = fitted.transform([[1.0, 2.0, 3.0]])
    together = fitted.transform([[1.0, 2.0, 3.0], [3.0, 4.0]])
    assert np.array_equal(alone[0], together[0])


@each_transformer
@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.full((2, 3, 1), np.nan), "contains NaN: sample 0, step 0, feature 0"),
        (np.full((2, 3), np.nan), "contains NaN"),
        ([np.ones((1, 1)), np.full((2, 1), np.inf)], "contains infinity: sample 1, step 0"),
        (np.ones((2, 3, 1), complex), "real numbers"),
        (np.ones((0, 3, 1)), "0 sample"),
        ([np.ones((2, 1)), np.ones((0, 1))], "no time steps in sample 1"),
        (np.ones(4), "Expected 2D array"),
    ],
)
def test_unfit_data_is_refused(transformer, X, message):
    with pytest.raises(ValueError, match=message):
        clone(transformer).fit(X)
