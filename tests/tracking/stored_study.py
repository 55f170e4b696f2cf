"""A study of Optuna that is kept in a folder, and the updates of the fits of its trials."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from seqpipe.training import SequenceNet

optuna = pytest.importorskip("optuna", reason="Optuna is not installed: pip install 'seqpipe[optuna]'")


def make_study(**options: Any) -> Any:
    sampler = optuna.samplers.RandomSampler(seed=0)
    return optuna.create_study(direction="maximize", study_name="sizes", sampler=sampler, **options)


def stored_study(folder: Path) -> Any:
    """Return the study in a folder, with its trials so far; none is pruned."""
    file = optuna.storages.journal.JournalFileBackend(str(folder / "study.log"))
    storage = optuna.storages.JournalStorage(file)
    study = make_study(storage=storage, load_if_exists=True, pruner=optuna.pruners.NopPruner())
    study.sampler = optuna.samplers.RandomSampler(seed=len(study.trials))  # else each process draws the same sizes
    return study


@contextmanager
def updates_until(kill_at: int | None) -> Generator[list[int], None, None]:
    """Count the updates of all fits in this context; SIGKILL instead of the one with a number."""
    made, step = [], SequenceNet.train_step

    def train_step(self: Any, batch: Any, **params: Any) -> Any:
        made.append(1)
        if len(made) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, batch, **params)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SequenceNet, "train_step", train_step)
        yield made
