"""Validation of the task of a plug-in: exceptions and invalid results are reported with its name."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

import pandas as pd

from seqpipe.exceptions import PluginError, PluginWarning, SeqpipeError
from seqpipe.plugins import host
from seqpipe.tables import TargetType
from seqpipe.tasks import Roles, Task, TaskData

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PluggedTask", "checked_task", "new_task", "overrides"]

_ESTIMATOR = ("fit", "predict", "get_params", "set_params")


def new_task(name: str, *, parameter: str) -> Task:
    """Create a task by its name; the results of a plug-in's task are validated.

    Raises
    ------
    UnknownNameError
        If there is no task of this name; ``parameter`` is the name of the parameter in the message.
    PluginError
        If the factory of the plug-in does not return a task.
    """
    found = host().find("task", name, parameter=parameter)
    if found.is_builtin:
        task: Task = found.spec.factory()
        return task
    made = found.create()
    if not isinstance(made, Task):
        raise found.error(f"must be a seqpipe.tasks.Task. Its factory returned {made!r:.60} instead")
    return checked_task(made, found.who)


def checked_task(task: Task, who: str) -> Task:
    """Return the task with every return value validated, as that of a plug-in is.

    A method that raises, or returns something other than the protocol asks for, then raises `PluginError`.

    Parameters
    ----------
    task : Task
        The task.
    who : str
        Name of the task in errors, such as "The task 'screen'".

    Examples
    --------
    >>> from seqpipe.pipeline import checked_task
    >>> from seqpipe.tasks import ClassifyTask
    >>> class Screen(ClassifyTask):
    ...     def metrics(self, estimator, data):
    ...         return 0.5
    >>> checked_task(Screen(), "The task 'screen'").metrics(None, None)
    Traceback (most recent call last):
    seqpipe.exceptions.PluginError: The task 'screen': metrics() must return a dict with string keys. Got 0.5 instead.
    """
    return PluggedTask(task, who)


def overrides(task: Task, method: str) -> bool:
    """Return whether a task, or that of a plug-in, has a method of its own in place of the protocol's default."""
    own = task._task if isinstance(task, PluggedTask) else task
    return getattr(type(own), method) is not getattr(Task, method)


class PluggedTask(Task):
    """Delegates to the task of a plug-in and validates its results.

    Parameters
    ----------
    task : Task
        The task of the plug-in.
    who : str
        Name of the task in error messages.
    """

    def __init__(self, task: Task, who: str) -> None:
        self._task = task
        self.who = who

    @property
    def needs_target(self) -> bool:  # type: ignore[override]
        """Whether targets are required, other than for a series."""
        return bool(self._task.needs_target)

    @property
    def target_type(self) -> TargetType:  # type: ignore[override]
        """Kind of the target column."""
        return self._task.target_type

    @property
    def reads_texts(self) -> bool:  # type: ignore[override]
        """Whether the column of sequences holds texts."""
        return bool(self._task.reads_texts)

    @property
    def constant_baseline(self) -> str | None:  # type: ignore[override]
        """Name of the baseline that predicts a constant."""
        return self._task.constant_baseline

    @property
    def constant_metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        """The metrics in which a model must be better than a constant."""
        return tuple(self._task.constant_metrics)

    @property
    def refits(self) -> bool:  # type: ignore[override]
        """Whether by default the model is fitted again to all samples."""
        return bool(self._task.refits)

    def from_table(self, frame: pd.DataFrame, roles: Roles, *, name: str, with_target: bool = True) -> TaskData:
        """Return the data of the task; X and y must have the same length."""
        found = self._call("from_table", frame, roles, name=name, with_target=with_target)
        return self._data(found, "from_table")

    def with_settings(self, params: Mapping[str, Any]) -> tuple[Task, dict[str, Any]]:
        """Return the task with its settings, and the parameters of the estimator."""
        found = self._call("with_settings", params, passing=(TypeError, ValueError))
        if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[0], Task):
            raise self._wrong("with_settings", "a task and a dict of parameters", f"{found!r:.60}")
        return PluggedTask(found[0], self.who), self._dict(found[1], "with_settings")

    def estimator(self, params: Mapping[str, Any]) -> Any:
        """Return the estimator of the task, an instance that follows scikit-learn's interface."""
        found = self._call("estimator", params, passing=(TypeError, ValueError) if params else ())
        if isinstance(found, type):
            raise self._wrong("estimator", "an estimator", f"the class {found.__name__}: call it")
        missing = [name for name in _ESTIMATOR if not callable(getattr(found, name, None))]
        if missing:
            raise self._wrong("estimator", "an estimator", f"{found!r:.60}, which has no {missing[0]}()")
        return found

    def split(self, estimator: Any, data: TaskData, *, test_size: float | int, seed: int) -> tuple[TaskData, TaskData]:
        """Return the training data and the held-out data."""
        found = self._call("split", estimator, data, test_size=test_size, seed=seed, passing=(ValueError,))
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise self._wrong("split", "two TaskData, the training and the held-out data", f"{found!r:.60}")
        train, test = (self._data(part, "split") for part in found)
        return train, test

    def cv(self, estimator: Any, data: TaskData, *, n_splits: int, seed: int) -> Any:
        """Return the splitter of the task."""
        found = self._call("cv", estimator, data, n_splits=n_splits, seed=seed, passing=(ValueError,))
        if not callable(getattr(found, "split", None)):
            raise self._wrong("cv", "a scikit-learn splitter", f"{found!r:.60}")
        return found

    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        """Return the scores of the task; warn if one is NaN."""
        return self._scores(self._call("metrics", estimator, data), "metrics")

    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, dict[str, float]]:
        """Return the scores of the baselines of the task."""
        found = self._dict(self._call("baselines", estimator, train, test), "baselines")
        return {name: self._scores(scores, "baselines") for name, scores in found.items()}

    def pictures(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
        """Return the figures of the task."""
        return self._figures(self._call("pictures", estimator, train, test), "pictures")

    def epoch_pictures(self, estimator: Any, test: TaskData) -> dict[str, Figure]:
        """Return the figures of the task for an estimator in training."""
        return self._figures(self._call("epoch_pictures", estimator, test), "epoch_pictures")

    def predictions(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        """Return the predictions of the task as a table."""
        found = self._call("predictions", estimator, data)
        if not isinstance(found, pd.DataFrame):
            raise self._wrong("predictions", "a DataFrame", f"{found!r:.60}")
        return found

    def texts(self, estimator: Any) -> dict[str, str]:
        """Return the texts generated by the estimator."""
        found = self._dict(self._call("texts", estimator), "texts")
        return self._all(found, "texts", "strings", lambda value: isinstance(value, str))

    def future(self, data: TaskData, n_steps: int) -> TaskData:
        """Return the data of the steps after the end of a series."""
        return self._data(self._call("future", data, n_steps), "future")

    def scorer(self, name: str | None) -> Any:
        """Return a value of ``scoring`` for a search."""
        found = self._call("scorer", name, passing=(ValueError,))
        if found is not None and not isinstance(found, str) and not callable(found):
            raise self._wrong("scorer", "a name, a function or None", f"{found!r:.60}")
        return found

    def scoring_fault(self, name: str | None, data: TaskData) -> str | None:
        """Return why a score does not apply to the targets; None if it does."""
        found = self._call("scoring_fault", name, data)
        if found is not None and not isinstance(found, str):
            raise self._wrong("scoring_fault", "a string or None", f"{found!r:.60}")
        return found

    def rows(self, values: Any) -> Any:
        """Return targets or predictions with one row per value that is scored."""
        return self._call("rows", values)

    def parameter(self, name: str) -> str:
        """Return the estimator's name of a parameter."""
        found = self._call("parameter", name)
        if not isinstance(found, str):
            raise self._wrong("parameter", "a string", f"{found!r:.60}")
        return found

    def _call(self, method: str, *args: Any, passing: tuple[type[Exception], ...] = (), **options: Any) -> Any:
        """Call a method; wrap exceptions to name the plug-in, except those of seqpipe and those in ``passing``."""
        try:
            return getattr(self._task, method)(*args, **options)
        except Exception as error:
            if isinstance(error, (SeqpipeError, *passing)):
                raise
            raise PluginError(f"{self.who} failed in {method}(): {_one_line(error)}.") from error

    def _data(self, found: Any, method: str) -> TaskData:
        if not isinstance(found, TaskData):
            raise self._wrong(method, "a TaskData", f"{found!r:.60}")
        for part, values in (("X", found.X), ("y", found.y)):
            if not hasattr(values, "__len__") and not (part == "y" and values is None):
                raise self._wrong(method, f"a TaskData whose {part} has a length", f"{part} {values!r:.60}")
        if found.y is not None and len(found.y) != len(found.X):
            raise self._wrong(
                method, "as many targets as samples", f"{len(found.X)} samples and {len(found.y)} targets"
            )
        return found

    def _scores(self, found: Any, method: str) -> dict[str, float]:
        scores = self._all(self._dict(found, method), method, "numbers", lambda value: isinstance(value, Real))
        unknown = [name for name, value in scores.items() if math.isnan(value)]
        if unknown:
            warnings.warn(f"{self.who}: {method}() returned NaN for {', '.join(unknown)}.", PluginWarning, stacklevel=3)
        return {name: float(value) for name, value in scores.items()}

    def _dict(self, found: Any, method: str) -> dict[str, Any]:
        if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
            raise self._wrong(method, "a dict with string keys", f"{found!r:.60}")
        return dict(found)

    def _figures(self, found: Any, method: str) -> dict[str, Figure]:
        return self._all(
            self._dict(found, method), method, "matplotlib figures", lambda value: hasattr(value, "savefig")
        )

    def _all(self, found: dict[str, Any], method: str, kind: str, fits: Callable[[Any], bool]) -> dict[str, Any]:
        name = next((name for name, value in found.items() if not fits(value)), None)
        if name is not None:
            raise self._wrong(method, f"a dict of {kind}", f"{name}: {found[name]!r:.60}")
        return found

    def _wrong(self, method: str, wanted: str, got: str) -> PluginError:
        return PluginError(f"{self.who}: {method}() must return {wanted}. Got {got} instead.")


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
