"""Conformance checks for estimators of texts."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

__all__ = ["TEXT_KINDS", "check_text_estimator", "takes_texts"]

#: All accepted kinds of text input.
TEXT_KINDS: dict[str, Callable[[list[str]], Any]] = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "object array": lambda texts: np.array(texts, dtype=object),
    "Series": lambda texts: pd.Series(texts),
    "DataFrame of one column": lambda texts: pd.DataFrame({"text": texts}),
}


def takes_texts(estimator: Any) -> bool:
    """Return whether the tags of an estimator declare text input."""
    return bool(get_tags(estimator).input_tags.string)


def check_text_estimator(estimator: Any) -> None:
    """Check an estimator of texts; where targets are required, they are the reversed texts.

    Raises
    ------
    AssertionError
        If a check fails; the message names it.
    """
    random = np.random.default_rng(0)
    X = ["".join(random.choice(list("abc"), size=size)) for size in random.integers(1, 6, size=24)]
    y = [text[::-1] for text in X] if get_tags(estimator).target_tags.required else None
    X_before, y_before = copy.copy(X), copy.copy(y)
    fitted = clone(estimator).fit(X, y)
    _check_kinds(estimator, fitted, X, y)
    _check_independence(fitted, X)
    _check_repeats(estimator, fitted, X, y)
    _check_model_selection(estimator, X, y)
    _check_refusals(estimator, fitted, X, y)
    assert (X, y) == (X_before, y_before), "fit or predict changed the texts"


def _check_kinds(estimator: Any, fitted: Any, X: list[str], y: Any) -> None:
    expected = _predictions(fitted, X)
    for name, make in TEXT_KINDS.items():
        _assert_same(f"predictions of {name}", _predictions(fitted, make(X)), expected)
        _assert_same(f"a fit to {name}", _predictions(clone(estimator).fit(make(X), y), X), expected)


def _check_independence(fitted: Any, X: list[str]) -> None:
    together = _predictions(fitted, X)
    _assert_same(
        "alone and batched predictions", np.concatenate([_predictions(fitted, [text]) for text in X]), together
    )
    _assert_same("predictions in another order", _predictions(fitted, X[::-1])[::-1], together)


def _check_repeats(estimator: Any, fitted: Any, X: list[str], y: Any) -> None:
    expected = _predictions(fitted, X)
    again = clone(estimator).fit(X, y)
    assert np.array_equal(_predictions(again, X), expected), "a second fit with the same random_state differs"
    assert np.array_equal(_predictions(again.fit(X, y), X), expected), "refitting differs from fitting a new estimator"
    loaded = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(_predictions(loaded, X), expected), "predictions change after pickling"


def _check_model_selection(estimator: Any, X: list[str], y: Any) -> None:
    pipeline = Pipeline([("model", clone(estimator))])
    assert np.isfinite(pipeline.fit(X, y).score(X, y)), "a Pipeline gives no score"
    assert np.isfinite(cross_val_score(clone(estimator), X, y, cv=2)).all(), "cross_val_score gives no score"
    search = GridSearchCV(pipeline, {"model__cell": ["rnn", "gru"]}, cv=2, error_score="raise").fit(X, y)
    assert search.best_params_["model__cell"] in ("rnn", "gru"), "a search over cells selects none"


def _check_refusals(estimator: Any, fitted: Any, X: list[str], y: Any) -> None:
    bad: dict[str, tuple[Any, str]] = {
        "None": ([*X[:3], None, *X[4:]], "sample 3"),
        "a number": ([*X[:3], 5, *X[4:]], "sample 3"),
        "no texts": ([], "0 sample"),
        "numbers": (np.ones((24, 2)), "sample 0"),
    }
    for name, (data, words) in bad.items():
        _assert_refused(
            f"fit with {name}", partial(clone(estimator).fit, data, None if y is None else y[: len(data)]), words
        )
        _assert_refused(f"predict with {name}", partial(fitted.predict, data), words)
    _assert_refused("an empty text in fit", partial(clone(estimator).fit, [*X[:3], "", *X[4:]], y), "sample 3")
    _assert_refused("one target too few", partial(clone(estimator).fit, X, (y or X)[:-1]), "number")


def _assert_refused(what: str, call: Callable[[], Any], words: str) -> None:
    try:
        call()
    except ValueError as error:
        assert words in str(error), f"{what}: the error message does not contain {words!r}: {error}"
        return
    raise AssertionError(f"{what} does not raise an error")


def _predictions(fitted: Any, X: Any) -> NDArray[Any]:
    """Return probabilities, or predictions if there are none."""
    return np.asarray(fitted.predict_proba(X) if hasattr(fitted, "predict_proba") else fitted.predict(X))


def _assert_same(what: str, found: NDArray[Any], expected: NDArray[Any]) -> None:
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5, err_msg=f"{what} differ")
        return
    assert np.array_equal(found, expected), f"{what} differ"
