"""Batches that do not fit into memory are split, and their gradients accumulated to those of the whole batch."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqpipe.exceptions import OutOfMemoryError, OutOfMemoryWarning
from seqpipe.training._batches import Batch
from seqpipe.training._objective import Objective

__all__ = ["MicroBatches", "is_out_of_memory", "results_in_parts"]

Result = TypeVar("Result")

#: Part of the messages of errors that torch raises as RuntimeError if memory of the CPU is exhausted.
_MESSAGES = ("can't allocate memory", "not enough memory", "out of memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory is exhausted."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(part in str(error) for part in _MESSAGES)


class MicroBatches:
    """Runs batches in parts of at most ``most_rows`` sequences, which is halved whenever memory is exhausted.

    Attributes
    ----------
    most_rows : int or None
        None until memory is exhausted for the first time.
    """

    def __init__(self) -> None:
        self.most_rows: int | None = None

    def run(
        self,
        batch: Batch,
        objective: Objective,
        step: Callable[[Batch, float], dict[str, Any]],
        *,
        before: Callable[[], object],
    ) -> dict[str, Any]:
        """Return the loss and the outputs of a batch.

        Parameters
        ----------
        batch : tuple
        objective : Objective
        step : callable (batch, share) -> dict
            Computes ``loss`` and ``y_pred`` of a part of the batch, whose loss is ``share`` of that of the batch.
        before : callable
            Called before each attempt.

        Raises
        ------
        OutOfMemoryError
            If memory does not suffice for a single sequence.
        """
        n_samples, n_timesteps = batch[0]["x"].shape[:2]
        while True:
            before()
            size = min(self.most_rows or n_samples, n_samples)
            state = batch[0]["window"].state if "window" in batch[0] else None
            try:
                return _in_parts(batch, objective, step, size)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if size == 1:
                    raise OutOfMemoryError(_exhausted(n_timesteps)) from error
            if "window" in batch[0]:
                batch[0]["window"].continue_from(state)
            self._halve(size)  # outside of the handler, which keeps the failed attempt in memory

    def _halve(self, size: int) -> None:
        if self.most_rows is None:
            warnings.warn(
                f"Memory does not suffice for a batch of {size} sequences. Batches are split into smaller ones whose gradients "
                "are accumulated: the updates are the same, but slower. Set a smaller batch_size, or memory='recompute'.",
                OutOfMemoryWarning,
                stacklevel=2,
            )
        self.most_rows = max(1, size // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def results_in_parts(
    batch: Batch, function: Callable[[dict[str, Any], Tensor], Result]
) -> Iterator[tuple[NDArray[np.int64], Result]]:
    """Yield indices and result of a batch, or of its halves, and so on, if memory is exhausted.

    Raises
    ------
    OutOfMemoryError
        If memory does not suffice for a single sequence.
    """
    n_samples, n_timesteps = batch[0]["x"].shape[:2]
    try:
        result = function(*batch)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        if n_samples == 1:
            raise OutOfMemoryError(_exhausted(n_timesteps)) from error
    else:
        yield batch[0]["indices"], result
        return
    for half in _parts(batch, -(-n_samples // 2)):
        yield from results_in_parts(half, function)


def _exhausted(n_timesteps: int) -> str:
    return (
        f"Memory does not suffice for a single sequence of {n_timesteps:,} time steps. Use memory='recompute', fewer "
        "hidden_size or num_layers, or shorter sequences."
    )


def _in_parts(
    batch: Batch, objective: Objective, step: Callable[[Batch, float], dict[str, Any]], size: int
) -> dict[str, Any]:
    n_samples = len(batch[0]["x"])
    if size >= n_samples:
        return step(batch, 1.0)
    parts = list(_parts(batch, size))
    shares = [objective.share(part, batch) for part in parts]
    steps = [step(part, share) for part, share in zip(parts, shares)]
    if "window" in batch[0]:
        batch[0]["window"].continue_from_rows([inputs["window"] for inputs, _ in parts])
    loss = torch.stack([share * each["loss"].detach() for share, each in zip(shares, steps)]).sum()
    return {"loss": loss, "y_pred": torch.cat([each["y_pred"].detach() for each in steps])}


def _parts(batch: Batch, size: int) -> Iterator[Batch]:
    inputs, y = batch
    n_samples = len(inputs["x"])
    for start in range(0, n_samples, size):
        rows = slice(start, start + size)
        yield {name: _rows(value, rows, n_samples) for name, value in inputs.items()}, _rows(y, rows, n_samples)


def _rows(value: Any, rows: slice, n_samples: int) -> Any:
    """Return the rows of an entry of a batch; entries without rows are those of the whole batch."""
    if hasattr(value, "of_rows"):
        return value.of_rows(rows)
    if isinstance(value, Tensor | np.ndarray) and value.ndim and len(value) == n_samples:
        return value[rows]
    return value
