"""A plug-in's task, held to the protocol: what it raises or returns wrongly is told with its name."""

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

__all__ = ["PluggedTask", "new_task"]

_ESTIMATOR = ("fit", "predict", "get_params", "set_params")


def new_task(name: str, *, parameter: str) -> Task:
    """Return a new task by its name; one of a plug-in with its results checked.

    Raises
    ------
    UnknownNameError
        If nothing has this name; ``parameter`` is how the error names the place where it stands.
    PluginError
        If the plug-in's factory makes no task.
    """
    found = host().find("task", name, parameter=parameter)
    if found.is_builtin:
        task: Task = found.spec.factory()
        return task
    who = f"The task {name!r} of the plug-in {found.distribution!r}"
    try:
        made = found.spec.factory()
    except Exception as error:
        raise PluginError(f"{who} cannot be made: {_told(error)}.") from error
    if not isinstance(made, Task):
        raise PluginError(f"{who} must be a seqpipe.tasks.Task. Its factory gives {made!r:.60} instead.")
    return PluggedTask(made, who)


class PluggedTask(Task):
    """Does what another task does, and judges what comes of it.

    Parameters
    ----------
    task : Task
        The plug-in's.
    who : str
        What errors call it.
    """

    def __init__(self, task: Task, who: str) -> None:
        self._task = task
        self.who = who

    @property
    def needs_target(self) -> bool:  # type: ignore[override]
        """Whether data without targets, other than a series, is no use."""
        return bool(self._task.needs_target)

    @property
    def target_type(self) -> TargetType:  # type: ignore[override]
        """What the target column is read as."""
        return self._task.target_type

    @property
    def reads_texts(self) -> bool:  # type: ignore[override]
        """Whether a column of sequences holds texts."""
        return bool(self._task.reads_texts)

    def from_table(self, frame: pd.DataFrame, roles: Roles, *, name: str, with_target: bool = True) -> TaskData:
        """Return the task's data; X has a length, and so has y, the same one."""
        found = self._call("from_table", frame, roles, name=name, with_target=with_target)
        return self._data(found, "from_table")

    def with_settings(self, params: Mapping[str, Any]) -> tuple[Task, dict[str, Any]]:
        """Return the task with its own settings, and the estimator's parameters."""
        found = self._call("with_settings", params, passing=(TypeError, ValueError))
        if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[0], Task):
            raise self._wrong("with_settings", "a task and a dict of parameters", f"{found!r:.60}")
        return PluggedTask(found[0], self.who), self._dict(found[1], "with_settings")

    def estimator(self, params: Mapping[str, Any]) -> Any:
        """Return the task's estimator, an instance of scikit-learn's kind."""
        found = self._call("estimator", params, passing=(TypeError, ValueError) if params else ())
        if isinstance(found, type):
            raise self._wrong("estimator", "an estimator", f"the class {found.__name__}: call it")
        missing = [name for name in _ESTIMATOR if not callable(getattr(found, name, None))]
        if missing:
            raise self._wrong("estimator", "an estimator", f"{found!r:.60}, which has no {missing[0]}()")
        return found

    def split(self, estimator: Any, data: TaskData, *, test_size: float | int, seed: int) -> tuple[TaskData, TaskData]:
        """Return what to train on and what is held out."""
        found = self._call("split", estimator, data, test_size=test_size, seed=seed, passing=(ValueError,))
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise self._wrong("split", "two TaskData, to train on and to hold out", f"{found!r:.60}")
        train, test = (self._data(part, "split") for part in found)
        return train, test

    def cv(self, estimator: Any, data: TaskData, *, n_splits: int, seed: int) -> Any:
        """Return the task's splitter."""
        found = self._call("cv", estimator, data, n_splits=n_splits, seed=seed, passing=(ValueError,))
        if not callable(getattr(found, "split", None)):
            raise self._wrong("cv", "a splitter of scikit-learn's kind", f"{found!r:.60}")
        return found

    def metrics(self, estimator: Any, data: TaskData) -> dict[str, float]:
        """Return the task's scores; one that is NaN is told by a warning."""
        return self._scores(self._call("metrics", estimator, data), "metrics")

    def baselines(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, dict[str, float]]:
        """Return the scores of the task's baselines."""
        found = self._dict(self._call("baselines", estimator, train, test), "baselines")
        return {name: self._scores(scores, "baselines") for name, scores in found.items()}

    def pictures(self, estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
        """Return the task's figures."""
        found = self._dict(self._call("pictures", estimator, train, test), "pictures")
        return self._all(found, "pictures", "figures of matplotlib", lambda value: hasattr(value, "savefig"))

    def predictions(self, estimator: Any, data: TaskData) -> pd.DataFrame:
        """Return the task's table of predictions."""
        found = self._call("predictions", estimator, data)
        if not isinstance(found, pd.DataFrame):
            raise self._wrong("predictions", "a DataFrame", f"{found!r:.60}")
        return found

    def texts(self, estimator: Any) -> dict[str, str]:
        """Return what the estimator writes."""
        found = self._dict(self._call("texts", estimator), "texts")
        return self._all(found, "texts", "strings", lambda value: isinstance(value, str))

    def future(self, data: TaskData, n_steps: int) -> TaskData:
        """Return what stands for the steps after the end of a series."""
        return self._data(self._call("future", data, n_steps), "future")

    def scorer(self, name: str | None) -> Any:
        """Return what a search takes as ``scoring``."""
        found = self._call("scorer", name, passing=(ValueError,))
        if found is not None and not isinstance(found, str) and not callable(found):
            raise self._wrong("scorer", "a name, a function or None", f"{found!r:.60}")
        return found

    def parameter(self, name: str) -> str:
        """Return the estimator's own name for a parameter."""
        found = self._call("parameter", name)
        if not isinstance(found, str):
            raise self._wrong("parameter", "a string", f"{found!r:.60}")
        return found

    def _call(self, method: str, *args: Any, passing: tuple[type[Exception], ...] = (), **options: Any) -> Any:
        """Call a method; what it raises names the plug-in, but for seqpipe's own errors and those in ``passing``."""
        try:
            return getattr(self._task, method)(*args, **options)
        except Exception as error:
            if isinstance(error, (SeqpipeError, *passing)):
                raise
            raise PluginError(f"{self.who} failed in {method}(): {_told(error)}.") from error

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
            warnings.warn(f"{self.who}: {method}() gave NaN for {', '.join(unknown)}.", PluginWarning, stacklevel=3)
        return {name: float(value) for name, value in scores.items()}

    def _dict(self, found: Any, method: str) -> dict[str, Any]:
        if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
            raise self._wrong(method, "a dict with names", f"{found!r:.60}")
        return dict(found)

    def _all(self, found: dict[str, Any], method: str, kind: str, fits: Callable[[Any], bool]) -> dict[str, Any]:
        name = next((name for name, value in found.items() if not fits(value)), None)
        if name is not None:
            raise self._wrong(method, f"a dict of {kind}", f"{name}: {found[name]!r:.60}")
        return found

    def _wrong(self, method: str, wanted: str, got: str) -> PluginError:
        return PluginError(f"{self.who}: {method}() must return {wanted}. Got {got} instead.")


def _told(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
