"""Stand-ins for scikit-learn's callbacks, where they are missing or have changed.

They cover what seqpipe uses: the tasks of an estimator of seqpipe, and of estimators of seqpipe inside it. No callback
reaches a worker process, so messages are delivered in the process where they are sent.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from typing import Any, NamedTuple, Self
from uuid import uuid4

__all__ = ["STATE", "CallbackSupportMixin", "Task", "open_listener", "send", "with_callbacks"]

#: The attributes of an estimator that hold its callbacks and its tasks: scikit-learn's names, and one of the stand-ins'.
STATE = ("_callback_fit_ctx", "_parent_callback_ctx", "_skl_callbacks", "_skl_callbacks_to_teardown", "_outer_task")


class Task:
    """Replaces ``sklearn.callback.CallbackContext``, with the attributes and methods that seqpipe uses."""

    def __init__(self, callbacks: list[Any], task_name: str, *, max_subtasks: int | None = 0) -> None:
        self._callbacks = callbacks
        self._n_subtasks = 0
        self.task_name = task_name
        self.task_id = 0
        self.max_subtasks = max_subtasks
        self.parent: Task | None = None
        self.root_uuid = uuid4()
        self.source_task_name: str | None = None

    def subcontext(self, task_name: str = "", *, max_subtasks: int | None = 0) -> Task:
        """Return a task of this task."""
        task = Task(self._callbacks, task_name, max_subtasks=max_subtasks)
        task.parent, task.root_uuid, task.task_id = self, self.root_uuid, self._n_subtasks
        self._n_subtasks += 1
        return task

    def merged(self, task_name: str, *, max_subtasks: int | None = 0) -> Task:
        """Return this task as the fit of an inner estimator."""
        task = Task(self._callbacks, task_name, max_subtasks=max_subtasks)
        task.parent, task.root_uuid, task.task_id = self.parent, self.root_uuid, self.task_id
        task.source_task_name = self.task_name
        return task

    def call_on_fit_task_begin(self, *, estimator: Any, X: Any = None, y: Any = None) -> Self:
        """Notify the callbacks of the task's begin."""
        for callback in self._callbacks:
            _notify(callback.on_fit_task_begin, estimator, self, X=X, y=y)
        return self

    def call_on_fit_task_end(self, *, estimator: Any, metadata: dict[str, Any] | None = None) -> bool:
        """Notify the callbacks of the task's end; return whether one asks for a stop."""
        hooks = [callback.on_fit_task_end for callback in self._callbacks]
        return any([_notify(hook, estimator, self, metadata=metadata) for hook in hooks])  # noqa: C419 - each is called

    @contextmanager
    def propagate_callback_context(self, estimator: Any) -> Iterator[None]:
        """Make the fit of an inner estimator this task."""
        estimator._outer_task = self
        try:
            yield
        finally:
            del estimator._outer_task


def _notify(hook: Callable[..., Any], estimator: Any, task: Task, **known: Any) -> bool:
    """Call a hook with those keywords that it takes, as scikit-learn does."""
    keywords = [each.name for each in signature(hook).parameters.values() if each.kind is each.KEYWORD_ONLY]
    return bool(hook(estimator, task, **{name: known.get(name) for name in keywords}))


class CallbackSupportMixin:
    """Stands in for ``sklearn.callback.CallbackSupportMixin``."""

    def set_callbacks(self, *callbacks: Any) -> Self:
        """Set the callbacks of the estimator."""
        self._skl_callbacks = list(callbacks)
        return self

    def _init_callback_context(self, task_name: str = "fit", *, max_subtasks: int | None = 0) -> Task:
        outer: Task | None = getattr(self, "_outer_task", None)
        self._skl_callbacks_to_teardown: list[Any] = []
        if outer is not None:
            self._callback_fit_ctx = outer.merged(task_name, max_subtasks=max_subtasks)
            return self._callback_fit_ctx
        callbacks = getattr(self, "_skl_callbacks", [])
        self._callback_fit_ctx = Task(callbacks, task_name, max_subtasks=max_subtasks)
        for callback in callbacks:
            self._skl_callbacks_to_teardown.append(callback)
            callback.setup(estimator=self, context=self._callback_fit_ctx)
        return self._callback_fit_ctx


def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
    """Replace ``sklearn.callback.with_callbacks``: tear down the callbacks that a fit has set up."""

    @wraps(method)
    def fit(estimator: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(estimator, *args, **kwargs)
        finally:
            task = vars(estimator).pop("_callback_fit_ctx", None)
            for callback in vars(estimator).pop("_skl_callbacks_to_teardown", []):
                callback.teardown(estimator=estimator, context=task)

    return fit


# ---- the transport


class Address(NamedTuple):
    """Replaces a handle of scikit-learn's listeners."""

    address: str


_message_consumers: dict[str, Callable[[Any], None]] = {}


def open_listener(consume: Callable[[Any], None], *, owner: object) -> Address:
    """Return an address in this process where messages go to ``consume`` for as long as ``owner`` lives."""
    address = Address(uuid4().hex)
    _message_consumers[address.address] = consume
    weakref.finalize(owner, _message_consumers.pop, address.address, None)
    return address


def send(address: Address, message: Any) -> None:
    """Deliver a message.

    Raises
    ------
    ConnectionError
        If nothing listens at the address in this process.
    """
    consume = _message_consumers.get(address.address)
    if consume is None:
        raise ConnectionError(f"Nothing listens at {address.address} in this process.")
    consume(message)
