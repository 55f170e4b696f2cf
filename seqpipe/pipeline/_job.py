"""Preparation of a recipe for training: data loaded, model built, both validated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.pipeline._data import load_data
from seqpipe.pipeline._epoch_pictures import check_epoch_pictures
from seqpipe.pipeline._held_out import check_report
from seqpipe.pipeline._load import LoadedRecipe
from seqpipe.pipeline._model import build_model, make_task
from seqpipe.pipeline._plugged_scores import check_evaluation
from seqpipe.pipeline._search import candidate_names, make_search
from seqpipe.pipeline._summary import describe_data
from seqpipe.tables import TrainingTable, count
from seqpipe.tasks import Task, TaskData

__all__ = ["Job", "prepare_job"]


@dataclass(frozen=True)
class Job:
    """A recipe that is ready to train.

    Attributes
    ----------
    loaded : LoadedRecipe
        The recipe.
    task : Task
        The task of the recipe.
    data, train, test : TaskData
        All data, and its two parts: the training data and the held-out data.
    estimator : estimator
        A search, or the model itself.
    candidates : list of str
        Names of the candidates of a search; empty without a search.
    summary : list of str
        Lines that describe the job to the user.
    table : TrainingTable
        Properties of the data table, to validate new tables.
    """

    loaded: LoadedRecipe
    task: Task
    data: TaskData
    train: TaskData
    test: TaskData
    estimator: Any
    candidates: list[str]
    summary: list[str]
    table: TrainingTable

    @property
    def n_splits(self) -> int:
        """Number of folds per candidate; 1 without a search."""
        search = self.loaded.recipe.search
        return 1 if search is None else search.cv

    @property
    def refits(self) -> bool:
        """Whether the model is fitted again to all data after its evaluation."""
        refit = self.loaded.recipe.evaluate.refit
        return self.task.refits if refit is None else refit

    @property
    def shipped(self) -> TaskData:
        """The data to which the logged model is fitted."""
        return self.data if self.refits else self.train


def prepare_job(loaded: LoadedRecipe, *, jobs: int | None = None, device: str | None = None) -> Job:
    """Load the data, build the model and validate both.

    Raises
    ------
    RecipeError
        If the recipe is invalid; the message names file, line, field and remedy.
    InvalidSequencesError
        If its data is invalid; the message names the position.
    """
    check_evaluation(loaded)
    task = make_task(loaded)
    check_epoch_pictures(loaded, task)
    found = load_data(loaded, task)
    check_report(loaded, found.data)
    model = build_model(loaded, task, found.data, device=device)
    try:
        train, test = task.split(model, found.data, test_size=loaded.recipe.evaluate.test_size, seed=loaded.recipe.seed)
    except ValueError as error:
        source = "path" if loaded.recipe.data.dataset is None else "dataset"
        unfit = isinstance(error, InvalidSequencesError)
        raise loaded.error(("data", source) if unfit else ("evaluate", "test_size"), str(error)) from error
    summary = [f"{loaded.name}: {describe_data(found.data, model)}; {len(test.X):,} held out", *found.notes]
    if loaded.recipe.search is None:
        return Job(loaded, task, found.data, train, test, model, [], summary, found.table)
    search = make_search(loaded, task, model, train, jobs=jobs)
    candidates = candidate_names(loaded, search)
    summary.append(f"search: {count(len(candidates), 'candidate')}, {loaded.recipe.search.cv} folds each")
    return Job(loaded, task, found.data, train, test, search, candidates, summary, found.table)
