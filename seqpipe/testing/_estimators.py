"""`check_estimator`: conformance checks for estimators on sequences, which scikit-learn's checks do not cover."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from seqpipe.exceptions import BaselineWarning
from seqpipe.sequences import Sequences
from seqpipe.testing._captions import check_caption_estimator, writes_captions
from seqpipe.testing._texts import check_text_estimator, takes_texts
from seqpipe.transformers import SequenceScaler

__all__ = ["INPUT_KINDS", "check_estimator"]

Arrays = list[NDArray[Any]]


def _object_array(arrays: Arrays) -> NDArray[Any]:
    out = np.empty(len(arrays), dtype=object)
    out[:] = arrays
    return out


#: All accepted kinds of ragged sequences of shape (n_timesteps, n_features).
INPUT_KINDS: dict[str, Callable[[Arrays], Any]] = {
    "list": list,
    "tuple": tuple,
    "object array": _object_array,
    "Series": lambda arrays: pd.Series(arrays),
    "DataFrame of one column": lambda arrays: pd.DataFrame({"sequence": arrays}),
    "nested lists": lambda arrays: [array.tolist() for array in arrays],
    "Sequences": Sequences.from_arrays,
}


def check_estimator(estimator: BaseEstimator) -> None:
    """Check an estimator with targets per sequence, or per time step, on ragged and three-dimensional input.

    All kinds of input must give the same predictions, predictions must not depend on padding or batches, fits must be
    reproducible, support pickling and cloning, leave the data unchanged and work with scikit-learn's splitters and
    searches, and invalid data must raise an error. So must missing targets, or, at time steps, be excluded from loss
    and score. An estimator whose tags declare several labels or outputs is checked with two of them as well.

    Parameters
    ----------
    estimator : estimator
        Unfitted, with an int as random_state; a few dozen epochs are sufficient. An estimator with the parameter
        ``loss_on`` is given one target per time step; one whose tags declare text input is given texts; one with
        ``predict_n_best`` is given vectors.

    Raises
    ------
    AssertionError
        If a check fails; the message names it.
    """
    if getattr(estimator, "random_state", None) is None:
        raise ValueError(
            "check_estimator needs an estimator instance with an int as random_state, so that fits are reproducible."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BaselineWarning)  # a contract is kept, or broken, however well a fit has learnt
        _check(estimator)


def _check(estimator: BaseEstimator) -> None:
    if takes_texts(estimator):
        check_text_estimator(estimator)
        return
    if writes_captions(estimator):
        check_caption_estimator(estimator)
        return
    for several in (False, True) if _takes_several(estimator) else (False,):
        _check_with_targets(estimator, partial(_targets, estimator, several=several), 2 if several else 1)


def _takes_several(estimator: Any) -> bool:
    tags = get_tags(estimator)
    return bool(tags.target_tags.multi_output or (tags.classifier_tags and tags.classifier_tags.multi_label))


def _check_with_targets(estimator: Any, targets: Callable[[Any], Any], n_targets: int) -> None:
    X = _sequences()
    y = targets(X)
    _check_data_untouched(estimator, X, y)
    fitted = clone(estimator).fit(X, y)
    _check_input_kinds(estimator, fitted, X, y)
    _check_three_dimensions(estimator, targets, n_targets)
    _check_independence(fitted, X)
    _check_repeats(estimator, fitted, X, y)
    _check_model_selection(estimator, X, y)
    _check_refusals(estimator, fitted, X, y)
    _check_unknown_targets(estimator, fitted, X, y)


def _sequences() -> Arrays:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, 2)) for n in rng.integers(3, 12, size=40)]


def _targets(estimator: Any, X: Any, *, several: bool = False) -> Any:
    """Return the mean of each sequence's first feature, or its running mean per step, as numbers or two classes.

    With ``several`` there are two columns of numbers, or of 0 and 1: of the mean and of the negative of its square.
    """
    means = [x[:, 0].cumsum() / np.arange(1, len(x) + 1) for x in X]
    if several:
        means = [np.stack([mean, -(mean**2)], axis=1) for mean in means]
    by_step = _predicts_steps(estimator)
    numbers = means if by_step else np.array([mean[-1] for mean in means])
    if not (is_classifier(estimator) or hasattr(estimator, "predict_proba")):
        return numbers
    middle = np.median(_flat(numbers), axis=0)
    names = (1, 0) if several else ("high", "low")
    labels = [np.where(mean > middle, *names) for mean in numbers]
    return labels if by_step else np.array(labels)


def _predicts_steps(estimator: Any) -> bool:
    return "loss_on" in estimator.get_params(deep=False)


def _flat(values: Any) -> NDArray[Any]:
    """Concatenate a list of arrays, one per sequence; return any other value unchanged."""
    ragged = isinstance(values, list | Sequences) or (values.dtype == object and isinstance(values[0], np.ndarray))
    return np.concatenate([*values]) if ragged else np.asarray(values)


def _check_input_kinds(estimator: Any, fitted: Any, X: Arrays, y: Any) -> None:
    expected = fitted.predict(X)
    for name, make in INPUT_KINDS.items():
        _assert_same(f"predictions of {name}", fitted.predict(make(X)), expected)
        _assert_same(f"a fit to {name}", clone(estimator).fit(make(X), y).predict(X), expected)


def _check_three_dimensions(estimator: Any, targets: Callable[[Any], Any], n_targets: int) -> None:
    X = np.random.default_rng(1).normal(size=(40, 6, 2)).astype("float32").astype("float64")
    y = targets(X)
    expected = clone(estimator).fit(X, y).predict(X)
    _assert_same("a fit to a list of equal lengths", clone(estimator).fit(list(X), y).predict(list(X)), expected)
    _assert_same("a fit to float32", clone(estimator).fit(X.astype("float32"), y).predict(X), expected)
    one = clone(estimator).fit(X[:, :, :1], y)
    assert one.n_features_in_ == 1, "n_features_in_ of (n_samples, n_timesteps, 1) is not 1"
    single = (3 * n_targets,) if _predicts_steps(estimator) else (n_targets,)
    found = _flat(one.predict(X[:1, :3, :1])).reshape(-1).shape
    assert found == single, f"a single sequence of a different length gives predictions of shape {found}"


def _check_independence(fitted: Any, X: Arrays) -> None:
    together = _scores(fitted, X)
    alone = np.concatenate([_scores(fitted, [x]) for x in X])
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-5, err_msg="alone and batched predictions differ")
    order = np.random.default_rng(2).permutation(len(X))
    shuffled = _scores(fitted, [X[i] for i in order])
    in_order = np.concatenate([_scores(fitted, X, i) for i in order])
    np.testing.assert_allclose(
        shuffled, in_order, rtol=1e-4, atol=1e-5, err_msg="predictions depend on the order of the samples"
    )


def _check_repeats(estimator: Any, fitted: Any, X: Arrays, y: Any) -> None:
    again = clone(estimator).fit(X, y)
    assert np.array_equal(_scores(again, X), _scores(fitted, X)), "a second fit with the same random_state differs"
    assert np.array_equal(_scores(again.fit(X, y), X), _scores(fitted, X)), (
        "refitting differs from fitting a new estimator"
    )
    loaded = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(_scores(loaded, X), _scores(fitted, X)), "predictions change after pickling"


def _check_data_untouched(estimator: Any, X: Arrays, y: Any) -> None:
    X_before, y_before = copy.deepcopy(X), copy.deepcopy(y)
    clone(estimator).fit(X_before, y_before).predict(X_before)
    assert all(np.array_equal(a, b) for a, b in zip(X, X_before)), "fit or predict changed X"
    assert all(np.array_equal(a, b) for a, b in zip(y, y_before)), "fit changed y"
    for array in (*X_before, *(y_before if isinstance(y_before, list) else [y_before])):
        array.setflags(write=False)
    clone(estimator).fit(X_before, y_before).predict(X_before)


def _check_model_selection(estimator: Any, X: Arrays, y: Any) -> None:
    train, test, y_train, y_test = train_test_split(Sequences.from_arrays(X), y, random_state=0)
    pipeline = Pipeline([("scale", SequenceScaler()), ("model", clone(estimator))])
    assert np.isfinite(pipeline.fit(train, y_train).score(test, y_test)), "a Pipeline gives no score"
    assert np.isfinite(cross_val_score(clone(estimator), X, y, cv=2)).all(), "cross_val_score gives no score"
    search = GridSearchCV(pipeline, {"model__cell": ["rnn", "gru"]}, cv=2, error_score="raise").fit(X, y)
    assert search.best_params_["model__cell"] in ("rnn", "gru"), "a search over cells selects none"


def _check_unknown_targets(estimator: Any, fitted: Any, X: Arrays, y: Any) -> None:
    """Check that missing targets raise an error, or, with one per step, are excluded from loss and score."""
    labels = hasattr(fitted, "classes_")
    if not _predicts_steps(estimator):
        hole = np.array(y.tolist(), dtype=object)
        hole[3] = None
        _assert_refused("a missing target", partial(clone(estimator).fit, X, hole), "sample 3")
        return
    unknown: Any = None if labels else np.nan
    holes = [np.where((np.arange(len(each)) % 2).reshape(-1, *[1] * (each.ndim - 1)), unknown, each) for each in y]
    model = clone(estimator).fit(X, holes)
    assert np.isfinite(model.score(X, holes)), "missing targets at some steps give no score"
    assert not labels or np.array_equal(model.classes_, fitted.classes_), "a missing label became a class"
    nothing = [np.full(each.shape, None) for each in y]
    _assert_refused("a fit without any target", partial(clone(estimator).fit, X, nothing), "at any time step")
    by_name = get_scorer("accuracy" if labels else "r2")(fitted, X, y)
    np.testing.assert_allclose(by_name, fitted.score(X, y), err_msg="scikit-learn's scorer and score differ")


def _check_refusals(estimator: Any, fitted: Any, X: Arrays, y: Any) -> None:
    hole, endless = copy.deepcopy(X), copy.deepcopy(X)
    hole[3][1, 0] = np.nan
    endless[3][1, 0] = np.inf
    bad: dict[str, tuple[Any, str]] = {
        "NaN": (hole, "sample 3, step 1"),
        "infinity": (endless, "sample 3, step 1"),
        "an empty sequence": ([*X[:-1], np.empty((0, 2))], "no time steps"),
        "no sequences": ([], "0 sample"),
        "text": ([*X[:-1], np.array([["a", "b"]])], "real numbers"),
        "complex numbers": ([*X[:-1], np.ones((2, 2)) * 1j], "real numbers"),
        "other features in one sequence": ([*X[:-1], np.ones((2, 3))], "features"),
        "None for a sequence": ([*X[:3], None, *X[4:]], "sample 3"),
        "masked steps": ([*X[:3], np.ma.masked_greater(X[3], X[3].min()), *X[4:]], "sample 3 is a masked array"),
        "times": ([*X[:3], X[3].astype("m8[s]"), *X[4:]], "sample 3 holds times"),
    }
    for name, (data, words) in bad.items():
        _assert_refused(f"fit with {name}", partial(clone(estimator).fit, data, y[: len(data)]), words)
        _assert_refused(f"predict with {name}", partial(fitted.predict, data), words)
    _assert_refused("other features at predict", lambda: fitted.predict([np.ones((2, 3))]), "features")
    _assert_refused("one target too few", lambda: clone(estimator).fit(X, y[:-1]), "number")


def _assert_refused(what: str, call: Callable[[], Any], words: str) -> None:
    try:
        call()
    except ValueError as error:
        assert words in str(error), f"{what}: the error message does not contain {words!r}: {error}"
        return
    raise AssertionError(f"{what} does not raise an error")


def _scores(fitted: Any, X: Any, i: int | None = None) -> NDArray[Any]:
    """Return probabilities, or predictions if there are none: of all sequences, or of sequence ``i``."""
    found = fitted.predict_proba(X) if hasattr(fitted, "predict_proba") else fitted.predict(X)
    return _flat(found if i is None else found[i : i + 1])


def _assert_same(what: str, found: Any, expected: Any) -> None:
    found, expected = _flat(found), _flat(expected)
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5, err_msg=f"{what} differ")
        return
    assert np.array_equal(found, expected), f"{what} differ"
