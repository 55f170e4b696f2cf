"""Scores of folds, which scikit-learn notifies of nobody.

A search ends the task of a fold with the fit of its estimator, and scores this estimator next, in the same thread. So each
thread notes the fold that it has ended last, and what scores an estimator, a method or a scorer, notifies the callbacks of
that fold. The first score of a name is that on held-out data; the second is that on training data, which a search computes
after it with ``return_train_score=True``.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Any, ClassVar, Protocol, TypeVar, cast

from sklearn.metrics import check_scoring

from seqpipe.callbacks._task import FitTask
from seqpipe.saved import Inert, Schema, TextOf

__all__ = ["Reported", "Scored", "note_fold", "reported", "reports_score", "unnoted"]

Method = TypeVar("Method", bound=Callable[..., Any])

#: Where the first and the second score of an estimator come from.
_DATA = ("test", "train")


class Scored(Protocol):
    """What is notified of scores."""

    def scored(self, estimator: Any, task: FitTask, scores: dict[str, float]) -> None:
        """Note scores of a fold."""


class _Fold:
    """The fold that a thread has ended last. It keeps neither its estimator nor the callbacks alive.

    Parameters
    ----------
    estimator : estimator
    task : FitTask
    by_method : bool
        Whether its search scores by the estimator's own method, instead of a scorer.
    """

    def __init__(self, estimator: Any, task: FitTask, *, by_method: bool) -> None:
        self.task = task
        self.by_method = by_method
        self.listeners: list[weakref.ref[Scored]] = []
        self._estimator = weakref.ref(estimator)
        self._counts: dict[str, int] = {}

    def is_of(self, estimator: Any, *, inside: bool = False) -> bool:
        """Return whether an estimator is the one that was fitted or, if ``inside``, the last step in it."""
        fitted: Any = self._estimator()
        while inside and hasattr(fitted, "steps"):
            fitted = fitted.steps[-1][1]
        return fitted is estimator

    def notify(self, estimator: Any, values: Mapping[str, Any]) -> None:
        """Notify of the scores of the estimator by their names."""
        scores = {}
        for name, value in values.items():
            count = self._counts[name] = self._counts.get(name, 0) + 1
            if count <= len(_DATA) and (number := _as_number(value)) is not None:
                scores[f"{_DATA[count - 1]}_{name}"] = number
        with unnoted():
            for listener in [reference() for reference in self.listeners] if scores else []:
                if listener is not None:
                    listener.scored(estimator, self.task, scores)


class _Ended(threading.local):
    fold: _Fold | None = None


_ended = _Ended()


@contextmanager
def unnoted() -> Iterator[None]:
    """Forget the fold within a block, in which callbacks may score its estimator on other data."""
    fold, _ended.fold = _ended.fold, None
    try:
        yield
    finally:
        _ended.fold = fold


def note_fold(listener: Scored, estimator: Any, task: FitTask, *, by_method: bool) -> None:
    """Note that this thread has ended a fold, whose scores come next.

    Parameters
    ----------
    listener : Scored
        Notified of the scores.
    estimator : estimator
        The one that was fitted.
    task : FitTask
    by_method : bool
        Whether the search scores by the estimator's own method, instead of a scorer.
    """
    fold = _ended.fold
    if fold is None or fold.task != task or not fold.is_of(estimator):
        fold = _ended.fold = _Fold(estimator, task, by_method=by_method)
    fold.listeners.append(weakref.ref(listener))


def reports_score(method: Method) -> Method:
    """Let the ``score`` method of an estimator notify callbacks, in a search that scores by it."""

    @wraps(method)
    def score(self: Any, *args: Any, **kwargs: Any) -> Any:
        value = method(self, *args, **kwargs)
        fold = _ended.fold
        if fold is not None and fold.by_method and fold.is_of(self, inside=True):
            fold.notify(self, {"score": value})
        return value

    return cast(Method, score)


@dataclass(frozen=True, repr=False)
class Reported:
    """A scorer that notifies callbacks of the scores of folds.

    Parameters
    ----------
    scoring : str or callable
        The scorer that returns the scores: a name, or a function of estimator, X and y.
    name : str
        Name of the score, unless the function returns several by their names.
    """

    scoring: Any
    name: str = "score"
    _saved: ClassVar[dict[str, Schema]] = {"scoring": Inert(), "name": TextOf()}

    def __call__(self, estimator: Any, *data: Any, **params: Any) -> Any:
        """Return the score, or the dict of scores, of a fitted estimator on ``data``: X and y, or X alone."""
        found = self._scorer()(estimator, *data, **params)
        fold = _ended.fold
        if fold is not None and not fold.by_method and fold.is_of(estimator):
            fold.notify(estimator, found if isinstance(found, Mapping) else {self.name: found})
        return found

    def _accept_sample_weight(self) -> bool:
        """Return whether the scorer takes weights; scikit-learn asks that."""
        scorer = self._scorer()
        if hasattr(scorer, "_accept_sample_weight"):
            return bool(scorer._accept_sample_weight())
        return "sample_weight" in signature(scorer).parameters

    def __getattr__(self, name: str) -> Any:
        """Return what else scikit-learn asks of a scorer, such as which metadata it requests."""
        if name.startswith("__") or "scoring" not in vars(self):
            raise AttributeError(name)
        return getattr(self._scorer(), name)

    def __repr__(self) -> str:
        return f"reported({self.scoring!r})"

    def _scorer(self) -> Any:
        return check_scoring(scoring=self.scoring)


def reported(scoring: Any) -> Any:
    """Return a value for ``scoring`` of a search whose callbacks are notified of each fold's scores at once.

    scikit-learn tells the scores of a search only at its end. With this, `seqpipe.MLflowTracker` records the scores of each
    fold, and of a candidate once all of its folds are scored, while the search runs, and `seqpipe.SearchProgress` shows the
    best candidate so far. The scores are the same. Without ``scoring``, estimators of seqpipe report their own score by
    themselves, also at the end of a Pipeline.

    It has an effect from scikit-learn 1.9 on, and for estimators that support its callbacks, such as those of seqpipe and a
    Pipeline.

    Parameters
    ----------
    scoring : str, callable, list, tuple, set or dict
        As `sklearn.model_selection.GridSearchCV` takes it, all metrics at once. Of several metrics each predicts by itself.

    Returns
    -------
    scoring : callable, or dict of str to callable
        The same metrics, reported.

    Raises
    ------
    ValueError
        If there is no metric of that name, or a function is a metric instead of a scorer.
    TypeError
        If ``scoring`` is None.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from seqpipe import MLflowTracker, SequenceClassifier, reported
    >>> search = GridSearchCV(SequenceClassifier(), {"cell": ["gru", "lstm"]}, scoring=reported("f1_macro"))
    >>> search = search.set_callbacks(MLflowTracker("sensors"))  # doctest: +SKIP
    >>> reported(["accuracy", "f1_macro"])
    {'accuracy': reported('accuracy'), 'f1_macro': reported('f1_macro')}
    """
    if isinstance(scoring, Mapping):
        return {name: _reported(each, name) for name, each in scoring.items()}
    if isinstance(scoring, list | tuple | set):
        return {name: _reported(name, name) for name in scoring}
    return _reported(scoring)


def _reported(scoring: Any, name: str = "score") -> Reported:
    if scoring is None:
        raise TypeError(
            "The 'scoring' parameter of reported must not be None. Omit it: own scores are reported without."
        )
    if isinstance(scoring, Reported):
        scoring = scoring.scoring
    check_scoring(scoring=scoring)
    return Reported(scoring, name)


def _as_number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):  # no score: the search refuses it
        return None
