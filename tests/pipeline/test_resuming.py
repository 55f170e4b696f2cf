"""Runs of recipes that are interrupted and continued."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from rich.console import Console

from seqpipe import SequenceClassifier
from seqpipe.exceptions import CheckpointWarning, FitFailedError, RecipeError
from seqpipe.pipeline import RunResult, run_recipe

RECIPE: dict[str, Any] = {
    "data": {"dataset": "digits"},
    "task": {"classify": {"max_epochs": 1, "hidden_size": 4}},
    "search": {"grid": {"cell": ["gru", "rnn"]}, "cv": 2},
    "tracking": {"enabled": False},
}


def checkpoints() -> list[Path]:
    return sorted(Path(".seqpipe").glob("checkpoints/*/*/*.checkpoint"))


def shown(**options: Any) -> tuple[RunResult, str]:
    console = Console(file=io.StringIO(), width=200)
    result = run_recipe(RECIPE, console=console, **options)
    return result, console.file.getvalue()  # type: ignore[attr-defined]


def scores(result: RunResult) -> Any:
    return result.table[["rank", "name", "mean", "std"]].to_dict(), result.metrics, result.best_params


@pytest.mark.parametrize("how", [KeyboardInterrupt, SystemExit])
def test_the_same_command_continues_an_interrupted_run(how: type[BaseException], updates_counted: Any) -> None:
    with updates_counted() as all_made:
        expected, _ = shown()
    assert not Path(".seqpipe").exists()
    with updates_counted(len(all_made) // 2, how), pytest.raises(how) as caught:
        shown()
    assert caught.value.__notes__ == ["The same command continues the run"]
    assert checkpoints()
    with updates_counted() as made:
        result, text = shown()
    assert "continuing the run that was interrupted" in text
    assert ": 2 fits finished; --fresh starts again" in text
    assert len(made) < 0.7 * len(all_made)
    assert scores(result) == scores(expected)
    np.testing.assert_array_equal(
        result.final.net_.module_.head.weight.detach(), expected.final.net_.module_.head.weight.detach()
    )
    assert not Path(".seqpipe").exists()


def test_fresh_starts_again(updates_counted: Any) -> None:
    with updates_counted() as all_made:
        expected, _ = shown()
    with updates_counted(len(all_made) // 2), pytest.raises(KeyboardInterrupt):
        shown()
    with updates_counted() as made:
        result, text = shown(fresh=True)
    assert "continuing" not in text
    assert len(made) == len(all_made)
    assert scores(result) == scores(expected)


def test_the_final_model_knows_no_folder() -> None:
    result, _ = shown()
    assert result.final.checkpoint is None


def test_another_recipe_starts_by_itself(updates_counted: Any) -> None:
    with updates_counted(5), pytest.raises(KeyboardInterrupt):
        shown()
    before = checkpoints()
    _, text = shown(overrides=["task.classify.hidden_size=5"])
    assert "continuing" not in text
    assert checkpoints() == before


def test_two_runs_of_a_recipe_at_a_time_have_folders_of_their_own(updates_counted: Any) -> None:
    with updates_counted(5), pytest.raises(KeyboardInterrupt):
        shown()
    [folder] = Path(".seqpipe/checkpoints").iterdir()
    with FileLock(folder / "run.lock"):  # the first run, in another process
        _, text = shown()
    assert "continuing" not in text
    assert folder.exists()
    _, text = shown()
    assert "continuing" in text


def test_checkpoints_of_long_ago_are_deleted(updates_counted: Any) -> None:
    with updates_counted(5), pytest.raises(KeyboardInterrupt):
        shown()
    [folder] = Path(".seqpipe/checkpoints").iterdir()
    os.utime(folder, (0, 0))
    _, text = shown()
    assert "continuing" not in text


def test_a_folder_that_cannot_be_written_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqpipe.pipeline._resuming._FOLDER", Path("/proc/seqpipe"))
    with pytest.warns(CheckpointWarning, match=r"No checkpoints are written, since '/proc/seqpipe' cannot be"):
        shown()


def test_a_recipe_does_not_choose_the_folder() -> None:
    recipe = {**RECIPE, "task": {"classify": {"checkpoint": "/elsewhere"}}}
    with pytest.raises(RecipeError, match="checkpoint cannot be set in a recipe"):
        run_recipe(recipe)


class DyingClassifier(SequenceClassifier):
    """Kills its process with one cell, as a lack of memory does."""

    def _fit(self, *data: Any, **options: Any) -> None:
        if self.cell == "rnn":
            os.kill(os.getpid(), signal.SIGKILL)
        super()._fit(*data, **options)


def test_a_dead_worker_is_told_with_its_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqpipe.tasks._classify.SequenceClassifier", DyingClassifier)
    with pytest.raises(FitFailedError, match=r"(?s)A worker process ended without a result.*rnn, fold \d.*continues"):
        run_recipe(RECIPE, jobs=2)
