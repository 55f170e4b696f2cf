"""Fits with checkpoints: their opening, and the decision whether one continues from what it finds."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from seqpipe.estimators._identity import differences, digest, identity
from seqpipe.estimators._user_warning import frames_to_user
from seqpipe.exceptions import CheckpointError, CheckpointWarning
from seqpipe.training import Checkpoint, CheckpointFolder, Keeper, Samples, last_checkpoint

__all__ = ["generator_state", "kept_fit", "restored_generator"]


@contextmanager
def kept_fit(
    estimator: Any,
    checkpoint: Checkpoint | None,
    samples: Samples,
    initial: Any,
    is_abandoned: Callable[[], bool],
    *,
    grows: bool,
) -> Iterator[Keeper | None]:
    """Open the checkpoints of a fit in this context; None without checkpoints.

    If the fit ``grows``, it begins as one with the same settings and fewer epochs; in a shared folder it continues from the
    end of the longest that is there.

    Raises
    ------
    CheckpointError
        If the folder cannot be used, or its checkpoints are of a fit with other settings or data.
    """
    if checkpoint is None:
        yield None
        return
    fit = identity(estimator, samples, initial)
    path = checkpoint.path / _folder_name(fit, estimator) if checkpoint.shared else checkpoint.path
    folder = CheckpointFolder(path, checkpoint.keep, wait=checkpoint.shared)
    try:
        if checkpoint.resume == "never":
            folder.clear()
        found = folder.newest()
        if found is not None:
            _check(found, fit, checkpoint)
            _warn(found, fit, estimator)
        shorter = _shorter(path) if found is None and checkpoint.shared and grows else None
        if shorter is not None:
            _warn(shorter, fit, estimator)
        yield Keeper(checkpoint, folder, fit, found, is_abandoned, shorter)
    finally:
        folder.close()


def _folder_name(fit: Mapping[str, Any], estimator: Any) -> str:
    """Return the name of a fit: a digest that does not depend on its number of epochs, and this number."""
    settings = {name: value for name, value in fit["settings"].items() if name != "max_epochs"}
    return f"{digest({**fit, 'settings': settings})}-{estimator.max_epochs}"


def _shorter(path: Path) -> dict[str, Any] | None:
    """Return the last checkpoint of the longest fit with fewer epochs than that of the folder ``path``."""
    name, _, epochs = path.name.rpartition("-")
    lengths = [each.name.rpartition("-")[2] for each in path.parent.glob(f"{name}-*")]
    fewer = {int(each) for each in lengths if epochs.isdigit() and each.isdigit() and int(each) < int(epochs)}
    found = (last_checkpoint(path.with_name(f"{name}-{n}")) for n in sorted(fewer, reverse=True))
    return next(filter(None, found), None)


def _check(found: Mapping[str, Any], fit: Mapping[str, Any], checkpoint: Checkpoint) -> None:
    differing = differences(found, fit)
    if differing and checkpoint.resume != "force":
        raise CheckpointError(
            f"The checkpoint in {str(checkpoint.path)!r} is of another fit: {'; '.join(differing)}. Choose another folder, or "
            'pass checkpoint=Checkpoint(folder, resume="force") to continue with these settings, or resume="never" to start '
            "again. In cross-validation and searches, use seqpipe.resumable."
        )


def _warn(found: Mapping[str, Any], fit: Mapping[str, Any], estimator: Any) -> None:
    old, new = found["versions"], fit["versions"]
    others = [f"{name} {old.get(name)} instead of {new[name]}" for name in new if old.get(name) != new[name]]
    if others:
        warnings.warn(
            f"The checkpoint was written by {', '.join(others)}: the result may differ by rounding from that of an "
            "uninterrupted fit.",
            CheckpointWarning,
            stacklevel=frames_to_user(),
        )


def generator_state(random: np.random.RandomState) -> dict[str, Any]:
    """Return the state of a generator as numbers and strings."""
    state = random.get_state(legacy=False)
    return {**state, "state": {**state["state"], "key": state["state"]["key"].tolist()}}


def restored_generator(state: dict[str, Any]) -> np.random.RandomState:
    """Return a generator of a state of `generator_state`."""
    random = np.random.RandomState()
    random.set_state({**state, "state": {**state["state"], "key": np.array(state["state"]["key"], dtype=np.uint32)}})
    return random
