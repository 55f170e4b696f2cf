"""Scores and pictures that plug-ins add to those of the task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

from seqpipe.exceptions import PluginError, UnknownNameError
from seqpipe.pipeline._load import LoadedRecipe
from seqpipe.plugins import Registered, host
from seqpipe.specs import MetricSpec
from seqpipe.tasks import Task, TaskData

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PluggedScorer", "check_evaluation", "plugged_metrics", "plugged_pictures", "plugged_scorer"]


@dataclass(frozen=True)
class PluggedScorer:
    """A score of a plug-in as a function for ``scoring`` of a search: greater is better.

    Attributes
    ----------
    metric : Registered
        The metric.
    rows : callable
        Maps targets and predictions to one row per scored value.
    """

    metric: Registered
    rows: Callable[[Any], Any]

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        """Return the score of a fitted estimator."""
        assert isinstance(self.metric.spec, MetricSpec)
        value = self.value(estimator, X, y)
        return value if self.metric.spec.greater_is_better else -value

    def value(self, estimator: Any, X: Any, y: Any) -> float:
        """Return the metric itself.

        Raises
        ------
        PluginError
            If it is not a number, or there are no targets.
        """
        if y is None:
            raise self.metric.error("compares predictions with targets, and the data of this task has none")
        found = self.metric.create(self.rows(y), self.rows(estimator.predict(X)))
        if not isinstance(found, Real):
            raise self.metric.error(f"must return a number. It returned {found!r:.60} instead")
        return float(found)


def plugged_scorer(name: str | None, task: Task) -> PluggedScorer | None:
    """Return the score of a plug-in by its name; None if no plug-in offers it."""
    try:
        return PluggedScorer(host().find("metric", name or "", parameter="'scoring'"), task.rows)
    except UnknownNameError:
        return None


def check_evaluation(loaded: LoadedRecipe) -> None:
    """Raise `RecipeError` if the metrics or pictures of the evaluation are not registered."""
    evaluate = loaded.recipe.evaluate
    for field, kind, names in (("metrics", "metric", evaluate.metrics), ("pictures", "picture", evaluate.pictures)):
        for i, name in enumerate(names):
            try:
                host().find(kind, name, parameter=f"Each of {field!r}")
            except (UnknownNameError, PluginError) as error:
                raise loaded.error(("evaluate", field, i), str(error)) from error


def plugged_metrics(loaded: LoadedRecipe, task: Task, estimator: Any, data: TaskData) -> dict[str, float]:
    """Return the metrics of plug-ins that the recipe asks for, on held-out data.

    Raises
    ------
    PluginError
        If one fails.
    """
    found = {}
    for name in loaded.recipe.evaluate.metrics:
        metric = host().find("metric", name, parameter="Each of 'metrics'")
        found[metric.spec.name] = PluggedScorer(metric, task.rows).value(estimator, data.X, data.y)
    return found


def plugged_pictures(loaded: LoadedRecipe, estimator: Any, train: TaskData, test: TaskData) -> dict[str, Figure]:
    """Return the pictures of plug-ins that the recipe asks for, by file name without suffix.

    Raises
    ------
    PluginError
        If one fails.
    """
    found = {}
    for name in loaded.recipe.evaluate.pictures:
        picture = host().find("picture", name, parameter="Each of 'pictures'")
        figure = picture.create(estimator, train, test)
        if not hasattr(figure, "savefig"):
            raise picture.error(f"must return a matplotlib Figure. It returned {figure!r:.60} instead")
        found[picture.spec.name] = figure
    return found
