"""`Checkpoint`: where and how often the state of a fit is written, so that an interrupted fit can continue."""

from __future__ import annotations

import os
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any

__all__ = ["Checkpoint", "as_checkpoint"]

_RESUME = ("auto", "force", "never")


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often the state of a fit is written, so that an interrupted fit can continue.

    A fit with the same settings and data continues from the last checkpoint in the folder, and its result equals that of
    an uninterrupted fit exactly, except for times. A finished fit is restored, not repeated. A checkpoint holds weights,
    the state of the optimizer and of the learning-rate schedule, all generators of random numbers, the place in the
    epoch, the state carried between parts of sequences, and that of early stopping. It is a file of tensors and numbers,
    written as a whole or not at all, and verified by a digest when it is read.

    Parameters
    ----------
    folder : str or path
        Folder of the checkpoints; created if it does not exist.
    every_n_updates : int, optional
        Number of updates between two checkpoints; None if only time counts.
    every_n_seconds : float or "auto", default="auto"
        Seconds between two checkpoints; "auto" is 10 seconds, and at least 50 times as long as writing one takes.
    keep : int, default=2
        Number of checkpoints in the folder; older ones are deleted.
    shared : bool, default=False
        Whether the folder is that of many fits, such as those of a search, and each fit has a folder in it, named by its
        settings and data. There a fit continues from the end of the longest one with fewer epochs and else the same settings,
        if its first epochs do not depend on ``max_epochs``. If not, it is that of one fit.
    resume : {"auto", "force", "never"}, default="auto"
        Whether to continue from a checkpoint in the folder: "auto" raises an error if it is of a fit with other settings
        or data, "force" continues in this case too, "never" deletes it and starts again.

    Raises
    ------
    ValueError
        If a parameter is invalid.

    Examples
    --------
    >>> import tempfile
    >>> from seqpipe import Checkpoint, SequenceRegressor
    >>> checkpoint = Checkpoint(tempfile.mkdtemp(), every_n_updates=100)
    >>> model = SequenceRegressor(checkpoint=checkpoint, max_epochs=2, random_state=0)
    """

    folder: str | os.PathLike[str]
    every_n_updates: int | None = None
    every_n_seconds: float | str = "auto"
    keep: int = 2
    shared: bool = False
    resume: str = "auto"

    def __post_init__(self) -> None:
        if not isinstance(self.folder, str | os.PathLike) or not os.fspath(self.folder):
            raise _refused("folder", "a str or a path", self.folder)
        if self.every_n_updates is not None and not _is_count(self.every_n_updates):
            raise _refused("every_n_updates", "None or an int >= 1", self.every_n_updates)
        if self.every_n_seconds != "auto" and not _is_duration(self.every_n_seconds):
            raise _refused("every_n_seconds", 'a number >= 0 or "auto"', self.every_n_seconds)
        if not _is_count(self.keep):
            raise _refused("keep", "an int >= 1", self.keep)
        if not isinstance(self.shared, bool):
            raise _refused("shared", "a bool", self.shared)
        if self.resume not in _RESUME:
            raise _refused("resume", f"one of {list(_RESUME)}", self.resume)

    @property
    def path(self) -> Path:
        """The folder as an absolute path."""
        return Path(self.folder).expanduser().absolute()


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def _is_duration(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and float(value) >= 0


def _refused(name: str, allowed: str, value: Any) -> ValueError:
    return ValueError(f"The {name!r} parameter of Checkpoint must be {allowed}. Got {value!r} instead.")


def as_checkpoint(value: Any) -> Checkpoint | None:
    """Return the checkpoints that an estimator's ``checkpoint`` parameter asks for."""
    return Checkpoint(value) if isinstance(value, str | os.PathLike) else value
