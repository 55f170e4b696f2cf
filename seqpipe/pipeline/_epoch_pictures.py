"""Pictures of the model in training, logged to the run by epoch."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from seqpipe.callbacks import FOLD, REFIT, FitListener, FitTask
from seqpipe.exceptions import TrackingWarning
from seqpipe.pipeline._load import LoadedRecipe
from seqpipe.pipeline._plugged_task import overrides
from seqpipe.tables import count
from seqpipe.tasks import Task, TaskData

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EpochPictures", "check_epoch_pictures"]


def check_epoch_pictures(loaded: LoadedRecipe, task: Task) -> None:
    """Raise `RecipeError` if the recipe asks for pictures that the task does not draw, or that have no run to be logged to."""
    if loaded.recipe.evaluate.epoch_pictures is None:
        return
    field = ("evaluate", "epoch_pictures")
    if not overrides(task, "epoch_pictures"):
        name = loaded.recipe.task.name
        raise loaded.error(
            field,
            f"the task {name!r} draws no pictures of a model in training: remove this field. Those of the fitted model are "
            "recorded without it.",
        )
    if not loaded.recipe.tracking.enabled:
        raise loaded.error(field, "the pictures are logged to the run: set 'tracking.enabled' to true.")


class EpochPictures(FitListener):
    """Logs pictures of the model in training, of the refit of a search or of a fit without a search.

    The model is a Pipeline, whose transformers are fitted by then, or the estimator alone. One that trains only estimators
    inside of it cannot predict before its fit ends, and is not drawn.

    Parameters
    ----------
    every : int
        Number of epochs between two pictures.
    task : Task
        Draws the pictures.
    test : TaskData
        The held-out data.
    log : callable (figure, name, *, step) -> None
        Takes the pictures of an epoch, such as `MLflowTracker.log_image`.
    """

    def __init__(self, every: int, task: Task, test: TaskData, log: Callable[..., None]) -> None:
        super().__init__()
        self._every = every
        self._task = task
        self._test = test
        self._log = log
        self._model: Any = None
        self._n_epochs = 0
        self._has_drawn = self._has_warned = False

    def __getstate__(self) -> dict[str, Any]:
        return {"_under_way": self._under_way}  # workers fit folds only, of which nothing is drawn

    def began(self, estimator: Any, task: FitTask, X: Any, y: Any) -> None:
        """Note the model whose fit begins."""
        if not _in_fold(task) and (task.is_outermost or task.role == REFIT):
            self._model = estimator

    def ended(self, estimator: Any, task: FitTask, metadata: dict[str, Any]) -> None:
        """Log the pictures of an epoch; if that fails, the fit goes on."""
        if _in_fold(task) or "epoch" not in metadata or estimator is not _trained_in(self._model):
            return
        self._n_epochs = int(metadata["epoch"])
        if metadata.get("replayed"):
            self._has_drawn = True  # before the fit was interrupted
        elif self._n_epochs % self._every == 0:
            self._draw(self._n_epochs)

    def closed(self, estimator: Any, task: FitTask) -> None:
        """Warn if nothing was drawn in a fit that succeeded."""
        if not self._has_drawn and sys.exc_info()[1] is None:
            self._warn(f"No picture of the model in training was logged: {self._reason()}.")

    def _draw(self, epoch: int) -> None:
        figures: dict[str, Figure] = {}
        try:
            figures = self._task.epoch_pictures(self._model, self._test)
            for name, figure in figures.items():
                self._log(figure, name, step=epoch)
                self._has_drawn = True
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".rstrip(".")
            self._warn(
                f"A picture of epoch {epoch} was not logged: {reason}. The fit goes on; later failures are not shown."
            )
        finally:
            _close(figures)

    def _reason(self) -> str:
        if self._n_epochs == 0:
            return "it has no epochs of its own"
        if self._n_epochs < self._every:
            return f"the fit ended after {count(self._n_epochs, 'epoch')}, and evaluate.epoch_pictures is {self._every}"
        return "the task draws none for these targets"

    def _warn(self, message: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(message, TrackingWarning, stacklevel=2)


def _in_fold(task: FitTask) -> bool:
    return any(role == FOLD for role, _ in task.path)


def _trained_in(model: Any) -> Any:
    """Return what is trained in a model with epochs of its own: the last step of a Pipeline, or the model itself."""
    return model.steps[-1][1] if hasattr(model, "steps") else model


def _close(figures: dict[str, Figure]) -> None:
    """Let figures be collected that a plug-in has drawn with pyplot, which holds them."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        for figure in figures.values():
            pyplot.close(figure)
