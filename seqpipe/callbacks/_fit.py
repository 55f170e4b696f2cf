"""A fit with callbacks of any estimator, be it one that supports them or not."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import sklearn

from seqpipe.callbacks._stand_in import CallbackSupportMixin as StandIn
from seqpipe.callbacks._stand_in import Task
from seqpipe.callbacks._support import CallbackSupportMixin
from seqpipe.callbacks._task import REFIT
from seqpipe.exceptions import TrackingWarning

__all__ = ["fit_with_callbacks"]

#: Fields of an estimator's summary that are also its attributes.
_SUMMARY = ("n_parameters", "compile_seconds", "device")


def fit_with_callbacks(estimator: Any, callbacks: list[Any], X: Any, y: Any = None, **fit_params: Any) -> Any:
    """Fit an estimator, and notify callbacks of what happens.

    With scikit-learn 1.9 or later this is ``estimator.set_callbacks(*callbacks).fit(X, y, **fit_params)``. Before, searches
    and pipelines have no callbacks: then the fit itself is notified, what a Pipeline's last step does if it supports
    callbacks, and the refit of a search, once it is over.

    Parameters
    ----------
    estimator : estimator
        Any, such as a search or a Pipeline.
    callbacks : list of FitListener
        Such as `seqpipe.MLflowTracker`.
    X, y, **fit_params
        As ``estimator.fit`` takes them.

    Returns
    -------
    estimator : estimator
        The same one, fitted.
    """
    if isinstance(estimator, CallbackSupportMixin):
        return estimator.set_callbacks(*callbacks).fit(X, y, **fit_params)
    return _Outermost(estimator, callbacks).fit(X, y, fit_params)


class _Outermost:
    """Notifies callbacks in place of an estimator that does not support them."""

    def __init__(self, estimator: Any, callbacks: list[Any]) -> None:
        self._estimator = estimator
        self._callbacks = callbacks
        self._task = Task(callbacks, "fit", max_subtasks=None)

    def fit(self, X: Any, y: Any, fit_params: dict[str, Any]) -> Any:
        """Fit, and tear down what was set up."""
        warnings.warn(_degraded(self._estimator), TrackingWarning, stacklevel=3)
        begun: list[Any] = []
        try:
            for callback in self._callbacks:
                begun.append(callback)
                callback.setup(estimator=self._estimator, context=self._task)
            self._task.call_on_fit_task_begin(estimator=self._estimator, X=X, y=y)
            self._fit(X, y, fit_params)
        finally:
            for callback in begun:
                callback.teardown(estimator=self._estimator, context=self._task)
        return self._estimator

    def _fit(self, X: Any, y: Any, fit_params: dict[str, Any]) -> None:
        with self._last_step():
            self._estimator.fit(X, y, **fit_params)
        if hasattr(self._estimator, "best_estimator_"):
            self._notify_of_refit(self._estimator.best_estimator_)
        self._task.call_on_fit_task_end(estimator=self._estimator)

    def _last_step(self) -> AbstractContextManager[None]:
        """Make the fit of a Pipeline's last step a task of the Pipeline's."""
        last = self._estimator.steps[-1][1] if hasattr(self._estimator, "steps") else None
        if not isinstance(last, StandIn):
            return nullcontext()
        return self._task.subcontext("fit-final-estimator").propagate_callback_context(last)

    def _notify_of_refit(self, best: Any) -> None:
        """Notify of the refit of a search after its end, by what the estimator recorded."""
        task = self._task.subcontext(REFIT).merged("fit", max_subtasks=None)
        task.call_on_fit_task_begin(estimator=best)
        trained = _innermost(best)
        for record in getattr(trained, "history_", []):
            epoch = task.subcontext("epoch").call_on_fit_task_begin(estimator=trained)
            epoch.call_on_fit_task_end(estimator=trained, metadata={**record, "replayed": True})
        summary = {name: getattr(trained, f"{name}_") for name in _SUMMARY if hasattr(trained, f"{name}_")}
        task.call_on_fit_task_end(estimator=best, metadata=summary)


def _innermost(estimator: Any) -> Any:
    """Return what trains inside pipelines and meta-estimators."""
    while True:
        if hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        elif hasattr(estimator, "estimator_"):
            estimator = estimator.estimator_
        else:
            return estimator


def _degraded(estimator: Any) -> str:
    return (
        f"{type(estimator).__name__} of scikit-learn {sklearn.__version__} does not notify callbacks of the fits inside it: "
        "only its own fit and the refit of a search are tracked and shown. For all of them, run "
        "\"pip install -U 'scikit-learn>=1.9'\"."
    )
