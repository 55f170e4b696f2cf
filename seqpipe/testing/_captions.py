"""Conformance checks for estimators that generate a text for each vector."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

__all__ = ["check_caption_estimator", "writes_captions"]

#: All accepted kinds of vector input.
_KINDS: dict[str, Callable[[NDArray[Any]], Any]] = {
    "a list": lambda X: X.tolist(),
    "float32": lambda X: X.astype(np.float32),
    "images": lambda X: X[:, :, None],
}


def writes_captions(estimator: Any) -> bool:
    """Return whether an estimator generates texts from input that is not text."""
    return hasattr(estimator, "predict_n_best")


def check_caption_estimator(estimator: Any) -> None:
    """Check an estimator that generates texts from vectors.

    Raises
    ------
    AssertionError
        If a check fails; the message names it.
    """
    X = np.random.default_rng(0).normal(size=(24, 3)).astype("float32").astype("float64")
    y = ["odd" if i % 2 else "even" for i in range(len(X))]
    X.setflags(write=False)
    fitted = clone(estimator).fit(X, y)
    expected = fitted.predict_n_best(X, 2)
    _check_kinds(estimator, X, y, expected)
    _assert_same(
        "alone and batched predictions", [fitted.predict_n_best(X[i : i + 1], 2)[0] for i in range(24)], expected
    )
    _assert_same("predictions in another order", fitted.predict_n_best(X[::-1], 2)[::-1], expected)
    _check_repeats(estimator, fitted, X, y, expected)
    _check_model_selection(estimator, X, y)
    _check_refusals(estimator, fitted, X, y)


def _check_kinds(estimator: Any, X: NDArray[Any], y: list[str], expected: Any) -> None:
    for name, make in _KINDS.items():
        fitted = clone(estimator).fit(make(X), np.array(y, dtype=object))
        _assert_same(f"a fit to {name}", fitted.predict_n_best(make(X), 2), expected)


def _check_repeats(estimator: Any, fitted: Any, X: NDArray[Any], y: list[str], expected: Any) -> None:
    again = clone(estimator).fit(X, y)
    assert again.predict_n_best(X, 2) == expected, "a second fit with the same random_state differs"
    assert again.fit(X, y).predict_n_best(X, 2) == expected, "refitting differs from fitting a new estimator"
    loaded = pickle.loads(pickle.dumps(fitted))
    assert loaded.predict_n_best(X, 2) == expected, "predictions change after pickling"


def _check_model_selection(estimator: Any, X: NDArray[Any], y: list[str]) -> None:
    assert cross_val_predict(clone(estimator), X, y, cv=2).shape == (len(X),), (
        "cross_val_predict does not give one text per sample"
    )
    pipeline = make_pipeline(StandardScaler(), clone(estimator))
    name = f"{pipeline.steps[-1][0]}__cell"
    search = GridSearchCV(pipeline, {name: ["rnn", "gru"]}, cv=2, error_score="raise").fit(X, y)
    assert search.best_params_[name] in ("rnn", "gru"), "a search over cells selects none"


def _check_refusals(estimator: Any, fitted: Any, X: NDArray[Any], y: list[str]) -> None:
    hole = X.copy()
    hole[3, 1] = np.nan
    for name, data, words in (("NaN", hole, "NaN"), ("no vectors", X[:0], "0 sample"), ("one row", X[0], "2D")):
        _assert_refused(f"fit with {name}", partial(clone(estimator).fit, data, y[: len(data)]), words)
        _assert_refused(f"predict with {name}", partial(fitted.predict, data), words)
    _assert_refused("other features at predict", partial(fitted.predict, X[:, :2]), "features")
    _assert_refused("one text too few", partial(clone(estimator).fit, X, y[:-1]), "number")
    _assert_refused("a missing text", partial(clone(estimator).fit, X, [*y[:-1], None]), "sample 23")
    _assert_refused("no texts", partial(clone(estimator).fit, X, None), "y to be passed")


def _assert_refused(what: str, call: Callable[[], Any], words: str) -> None:
    try:
        call()
    except ValueError as error:
        assert words in str(error), f"{what}: the error message does not contain {words!r}: {error}"
        return
    raise AssertionError(f"{what} does not raise an error")


def _assert_same(what: str, found: Any, expected: Any) -> None:
    for a, b in zip(found, expected, strict=True):
        assert [text for text, _ in a] == [text for text, _ in b], f"{what} differ"
        np.testing.assert_allclose(_scores(a), _scores(b), rtol=1e-4, atol=1e-5, err_msg=f"{what} differ")


def _scores(best: Any) -> list[float]:
    return [score for _, score in best]
