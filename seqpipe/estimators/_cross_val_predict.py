"""Cross-validated predictions at each time step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, indexable

from seqpipe.estimators._step_scoring import predicts_steps
from seqpipe.estimators._step_targets import step_rows
from seqpipe.sequences import familiar

__all__ = ["cross_val_predict"]


def cross_val_predict(
    estimator: Any, X: Any, y: Any, *, cv: Any = None, method: str = "predict", params: dict[str, Any] | None = None
) -> NDArray[Any]:
    """Generate cross-validated predictions at each time step.

    Each sequence is in exactly one test set, and is predicted by an estimator fitted to the corresponding training set.

    Parameters
    ----------
    estimator : estimator
        `StepClassifier`, `StepRegressor`, or a pipeline or search with one as its last step. It is cloned for each
        fold.
    X : sequences
        Data to fit, in any form that the estimator accepts.
    y : sequences of targets
        Targets per time step; unknown ones may be None or NaN.
    cv : int, splitter or iterable, optional
        Number of folds, a splitter of scikit-learn, or an iterable of (train, test) indices of sequences; 5 folds by
        default.
    method : str, default="predict"
        Method of the estimator, such as "predict_proba" or "decision_function".
    params : dict, optional
        Arguments of `fit`, such as ``sample_weight``; those with one entry per sequence are indexed as X.

    Returns
    -------
    predictions : object array of shape (n_samples,)
        Arrays of shape (n_timesteps,) or, for probabilities, (n_timesteps, n_classes), with one column for each label
        of y in sorted order. Probabilities are 0 for labels that the training set of a fold does not contain. For
        multi-label targets there is one column per label.

    Raises
    ------
    ValueError
        If the estimator does not predict at each time step, a sequence is in no test set or in several, or with
        ``method="decision_function"`` a training set lacks a label.

    Notes
    -----
    scikit-learn's function of the same name supports ``method="predict"`` for these estimators. For probabilities, it
    encodes y as a flat array of labels, which fails for ragged targets.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe import StepClassifier, cross_val_predict
    >>> X = [np.linspace(-1, 1, n)[:, None] for n in range(3, 9)]
    >>> y = [np.where(x[:, 0] > 0, "up", "down") for x in X]
    >>> model = StepClassifier(hidden_size=4, max_epochs=2, random_state=0)
    >>> [part.shape for part in cross_val_predict(model, X, y, cv=2, method="predict_proba")]
    [(3, 2), (4, 2), (5, 2), (6, 2), (7, 2), (8, 2)]
    """
    X, y = indexable(familiar(X, "X"), familiar(y, "y"))
    n_samples = len(X)
    splits = [(np.asarray(train), np.asarray(test)) for train, test in check_cv(cv, y, classifier=False).split(X, y)]
    tested = np.concatenate([test for _, test in splits])
    if not np.array_equal(np.sort(tested), np.arange(n_samples)):
        raise ValueError("cross_val_predict requires a cv with each sequence in exactly one test set, such as KFold.")
    predictions = np.empty(n_samples, dtype=object)
    classes: list[NDArray[Any]] = []
    for train, test in splits:
        given = {name: _cut(value, train, n_samples) for name, value in (params or {}).items()}
        fitted = clone(estimator).fit(_safe_indexing(X, train), _safe_indexing(y, train), **given)
        if not predicts_steps(fitted):
            raise ValueError(
                f"seqpipe.cross_val_predict requires an estimator with one prediction per time step. Got "
                f"{type(estimator).__name__} instead; use sklearn.model_selection.cross_val_predict."
            )
        rows, offsets = step_rows(getattr(fitted, method)(_safe_indexing(X, test)))
        classes.append(_columns(fitted, method))
        for i, part in zip(test, np.split(rows, offsets[1:-1])):
            predictions[i] = part
    if any(len(own) != len(classes[0]) or (own != classes[0]).any() for own in classes):
        if method == "decision_function":
            raise ValueError(
                "decision_function of cross_val_predict requires all labels in each training set. Use "
                "method='predict_proba', where absent labels have probability 0, or a cv with larger training sets."
            )
        _align(predictions, [test for _, test in splits], classes)
    return predictions


def _columns(fitted: Any, method: str) -> NDArray[Any]:
    """Return the labels that the columns of predictions stand for; none for other columns, such as of multi-label y."""
    labels = np.empty(0) if method == "predict" else fitted.classes_
    return np.empty(0) if isinstance(labels, list) else labels


def _cut(value: Any, train: NDArray[np.int64], n_samples: int) -> Any:
    """Return the entries of training sequences, if a parameter has one entry per sequence."""
    long = hasattr(value, "__len__") and not isinstance(value, str | dict) and len(value) == n_samples
    return _safe_indexing(value, train) if long else value


def _align(predictions: NDArray[Any], tests: list[NDArray[np.int64]], classes: list[NDArray[Any]]) -> None:
    """Align the columns of all folds."""
    known = np.unique(np.concatenate(classes))
    for test, own in zip(tests, classes):
        columns = np.searchsorted(known, own)
        for i in test:
            wide = np.zeros((len(predictions[i]), len(known)), dtype=predictions[i].dtype)
            wide[:, columns] = predictions[i]
            predictions[i] = wide
