"""An estimator that notifies callbacks of epochs, and a callback that writes down all that it is notified of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from seqpipe.callbacks import IS_LIVE, CallbackSupportMixin, FitListener, FitTask, _stand_in, with_callbacks


class Diary(FitListener):
    """Keeps what it is notified of; asks for a stop where ``stops`` says so."""

    def __init__(self, stops: Callable[[dict[str, Any]], bool] = lambda metadata: False) -> None:
        super().__init__()
        self.entries: list[tuple[Any, ...]] = []
        self.stops = stops

    def opened(self, estimator: Any, task: FitTask) -> None:
        self.entries.append(("opened", task.path, task.role))

    def began(self, estimator: Any, task: FitTask, X: Any, y: Any) -> None:
        self.entries.append(("began", task.path, task.role, X is not None))

    def ended(self, estimator: Any, task: FitTask, metadata: dict[str, Any]) -> None:
        self.entries.append(("ended", task.path, task.role, metadata))

    def closed(self, estimator: Any, task: FitTask) -> None:
        self.entries.append(("closed", task.path, task.role))

    def on_fit_task_end(self, estimator: Any, context: Any, *, metadata: Any = None) -> bool:
        return super().on_fit_task_end(estimator, context, metadata=metadata) or self.stops(metadata or {})


def make_estimator(mixin: type, with_callbacks: Callable[..., Any]) -> type:
    """Return an estimator's class with callbacks by a mixin and decorator: scikit-learn's, or their stand-ins."""

    class Guess(mixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc, valid-type]
        def __init__(self, max_epochs: int = 2, fail: BaseException | None = None) -> None:
            self.max_epochs = max_epochs
            self.fail = fail

        @with_callbacks
        def fit(self, X: Any, y: Any) -> Any:
            context = self._init_callback_context(max_subtasks=self.max_epochs)
            context.call_on_fit_task_begin(estimator=self, X=X, y=y)
            self.history_: list[dict[str, Any]] = []
            for epoch in range(1, self.max_epochs + 1):
                task = context.subcontext(task_name="epoch").call_on_fit_task_begin(estimator=self)
                if self.fail is not None:
                    raise self.fail
                self.history_.append({"epoch": epoch})
                if task.call_on_fit_task_end(estimator=self, metadata={"epoch": epoch}):
                    break
            self.classes_ = np.unique(y)
            self.n_parameters_ = 5
            context.call_on_fit_task_end(estimator=self, metadata={"n_parameters": 5})
            return self

        def predict(self, X: Any) -> Any:
            return np.repeat(self.classes_[:1], len(X))

    return Guess


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def make_diary() -> type[Diary]:
    return Diary


@pytest.fixture
def stand_in_guess() -> type:
    return make_estimator(_stand_in.CallbackSupportMixin, _stand_in.with_callbacks)


@pytest.fixture(params=["scikit-learn", "stand-in"])
def guess(request: pytest.FixtureRequest, stand_in_guess: type) -> type:
    """The estimator's class, with scikit-learn's callbacks or with the stand-ins for them."""
    if request.param == "stand-in":
        return stand_in_guess
    if not IS_LIVE:
        pytest.skip("this version of scikit-learn has no callbacks")
    return make_estimator(CallbackSupportMixin, with_callbacks)


@pytest.fixture
def data() -> tuple[Any, Any]:
    """X of shape (12, 2) and two labels."""
    return np.random.default_rng(0).normal(size=(12, 2)), np.arange(12) % 2
