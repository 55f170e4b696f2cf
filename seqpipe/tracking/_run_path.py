"""Which task of a fit has a run."""

from __future__ import annotations

from seqpipe.callbacks import FOLD, REFIT, TaskPath

__all__ = ["run_path"]


def run_path(path: TaskPath) -> TaskPath:
    """Return the path of the run that the task at ``path`` belongs to; () for the outermost fit."""
    for depth, (role, _) in enumerate(path, start=1):
        if role in (FOLD, REFIT):
            return path[:depth]
    return ()
