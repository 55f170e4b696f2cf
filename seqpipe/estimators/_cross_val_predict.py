"""Cross-validated answers at every time step."""

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
    """Return what an estimator says of each step of each sequence when it was fitted to others.

    scikit-learn's function of this name does so for ``method="predict"``, of any estimator; for probabilities it turns y
    into class numbers by itself, which ragged targets do not survive.

    Parameters
    ----------
    estimator : StepClassifier, StepRegressor, or what ends with one
        It is cloned for each fold; also a pipeline or a search.
    X : sequences
        As for its fit.
    y : sequences of targets
        As for its fit; unknown ones may be None or NaN.
    cv : int, splitter or iterable, optional
        As in scikit-learn: a number of folds of sequences, 5 by default, each sequence in one test set.
    method : str, default="predict"
        Such as "predict_proba".
    params : dict, optional
        Arguments of fit, such as ``sample_weight``; those with an entry a sequence are cut as X is.

    Returns
    -------
    answers : object array of shape (n_samples,)
        Arrays (n_timesteps,), or (n_timesteps, n_classes) with a column for each label of y in sorted order, 0 where a
        fold was not fitted to it.

    Raises
    ------
    ValueError
        If the estimator does not answer at every step, or a sequence is in no test set, or in several.

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
        raise ValueError("cross_val_predict takes a cv with each sequence in one test set, as KFold has it.")
    answers = np.empty(n_samples, dtype=object)
    classes: list[NDArray[Any]] = []
    for train, test in splits:
        given = {name: _cut(value, train, n_samples) for name, value in (params or {}).items()}
        fitted = clone(estimator).fit(_safe_indexing(X, train), _safe_indexing(y, train), **given)
        if not predicts_steps(fitted):
            raise ValueError(
                f"cross_val_predict of seqpipe is for answers at every time step. Got {type(estimator).__name__}, for which "
                "there is sklearn.model_selection.cross_val_predict."
            )
        rows, offsets = step_rows(getattr(fitted, method)(_safe_indexing(X, test)))
        classes.append(fitted.classes_ if method != "predict" else np.empty(0))
        for i, part in zip(test, np.split(rows, offsets[1:-1])):
            answers[i] = part
    if method != "predict":
        _align(answers, [test for _, test in splits], classes)
    return answers


def _cut(value: Any, train: NDArray[np.int64], n_samples: int) -> Any:
    """Return a parameter's entries of the training sequences, where it has one for each."""
    long = hasattr(value, "__len__") and not isinstance(value, str | dict) and len(value) == n_samples
    return _safe_indexing(value, train) if long else value


def _align(answers: NDArray[Any], tests: list[NDArray[np.int64]], classes: list[NDArray[Any]]) -> None:
    """Give the answers of all folds the same columns."""
    known = np.unique(np.concatenate(classes))
    for test, own in zip(tests, classes):
        columns = np.searchsorted(known, own)
        for i in test:
            wide = np.zeros((len(answers[i]), len(known)), dtype=answers[i].dtype)
            wide[:, columns] = answers[i]
            answers[i] = wide
