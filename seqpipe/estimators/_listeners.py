"""Notification of callbacks about a fit and its epochs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from seqpipe.callbacks import CallbackSupportMixin, FitListener, with_callbacks

__all__ = ["CallbackSupportMixin", "FitListeners", "SilentListeners", "listened_fit", "with_callbacks"]


class FitListeners:
    """The task of one fit in scikit-learn's tree of tasks."""

    def __init__(self, estimator: Any, task: str, n_epochs: int | None) -> None:
        self._estimator = estimator
        self._context = estimator._init_callback_context(task, max_subtasks=n_epochs)
        self.summary: dict[str, Any] = {}

    def begin(self, X: Any, y: Any) -> None:
        """Notify callbacks that the fit begins."""
        self._context.call_on_fit_task_begin(estimator=self._estimator, X=X, y=y)

    def epoch(self, record: Mapping[str, Any], *, replayed: bool = False) -> bool:
        """Notify callbacks of an epoch, or again of a ``replayed`` one; return whether one requests to stop the fit."""
        task = self._context.subcontext(task_name="epoch")
        task.call_on_fit_task_begin(estimator=self._estimator)
        metadata = {**record, "replayed": True} if replayed else dict(record)
        return bool(task.call_on_fit_task_end(estimator=self._estimator, metadata=metadata))

    def interrupted(self) -> bool:
        """Return whether the outermost fit was interrupted, of which this one runs in a thread."""
        listening = [callback for callback in self._context._callbacks if isinstance(callback, FitListener)]
        return any(callback.interrupted(self._context) for callback in listening)

    def inner(self, estimator: Any) -> AbstractContextManager[None]:
        """Make the fit of a nested estimator a subtask of this fit, with the same callbacks."""
        if not hasattr(estimator, "set_callbacks"):
            return nullcontext()
        task = self._context.subcontext(task_name="fit-estimator")
        inside: AbstractContextManager[None] = task.propagate_callback_context(estimator)
        return inside

    def end(self, summary: Mapping[str, Any]) -> None:
        """Notify callbacks that the fit ended, with its summary or ``error``."""
        self._context.call_on_fit_task_end(estimator=self._estimator, metadata=dict(summary))


class SilentListeners(FitListeners):
    """Stands for the task of a fit of which no callback is notified, within another fit if that is given."""

    def __init__(self, within: FitListeners | None = None) -> None:
        self._within = within
        self.summary: dict[str, Any] = {}

    def epoch(self, record: Mapping[str, Any], *, replayed: bool = False) -> bool:
        """Return whether the fit was interrupted that this one is a part of."""
        return self._within is not None and self._within.interrupted()


@contextmanager
def listened_fit(
    estimator: Any, X: Any, y: Any, *, task: str = "fit", n_epochs: int | None = None
) -> Iterator[FitListeners]:
    """Begin the task of a fit, and end it with the summary, or with the error that was raised."""
    listeners = FitListeners(estimator, task, n_epochs)
    try:
        listeners.begin(X, y)
        yield listeners
    except BaseException as error:
        listeners.end({"error": f"{type(error).__name__}: {error}"})
        raise
    listeners.end(listeners.summary)
