"""`Numbers`: one or several real numbers per row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import r2_score

from seqpipe.estimators._input import check_targets
from seqpipe.estimators._scaling import weighted_statistics
from seqpipe.estimators._step_targets import check_step_numbers
from seqpipe.estimators.targets._codec import TargetCodec
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.saved import ArrayOf, Schema
from seqpipe.sequences import Sequences, Windows

__all__ = ["Numbers"]


@dataclass(frozen=True)
class Numbers(TargetCodec):
    """Real numbers, standardized for the network.

    Attributes
    ----------
    mean, scale : array of shape (n_outputs,)
        Targets are standardized as (target - mean) / scale.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    criterion: ClassVar[type[torch.nn.Module]] = torch.nn.MSELoss
    _saved: ClassVar[dict[str, Schema]] = {"mean": ArrayOf("f", 1), "scale": ArrayOf("f", 1)}

    @staticmethod
    def read(y: Any, n_samples: int, *, owner: str) -> NDArray[np.float64]:
        """Validate targets; return them as float64 in shape (n_samples,) or (n_samples, n_outputs)."""
        return check_targets(owner, y, n_samples)

    @staticmethod
    def read_steps(
        rows: NDArray[Any], X: Sequences | Windows, *, owner: str
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Validate targets; return them as float64 in shape (total_steps, n_outputs), and a mask of known ones."""
        return check_step_numbers(rows, X, owner=owner)

    @classmethod
    def of(
        cls, values: NDArray[np.float64], weight: NDArray[np.float64] | None, *, scaled: bool, ndim: int | None = None
    ) -> Numbers:
        """Return the codec that standardizes the given targets, or only reshapes them unless ``scaled``."""
        columns = values.reshape(len(values), -1)
        n_outputs = columns.shape[1]
        mean, scale = weighted_statistics(columns, weight) if scaled else (np.zeros(n_outputs), np.ones(n_outputs))
        return cls(values.ndim if ndim is None else ndim, mean, scale)

    @property
    def n_outputs(self) -> int:
        """Number of targets per row."""
        return len(self.mean)

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return standardized targets of shape (n_rows, n_outputs).

        Raises
        ------
        ValueError
            If the number of outputs differs from that of the fit, or mean or variance is not finite.
        """
        columns = values.reshape(len(values), -1)
        if columns.shape[1] != len(self.mean):
            raise ValueError(
                f"y has {columns.shape[1]} outputs, but had {len(self.mean)} in the previous fit: pass the same "
                "number, or fit with warm_start=False."
            )
        with np.errstate(over="ignore"):  # R² squares deviations
            finite = np.isfinite(self.mean).all() and np.isfinite(self.scale**2).all()
        if not finite:
            raise InvalidSequencesError("y is too large: its mean or variance is not finite. Rescale y.")
        return (columns - self.mean) / self.scale

    def decode(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """Return predictions in the units of the targets."""
        targets = outputs * self.scale + self.mean
        return targets[:, 0] if self.ndim == 1 else targets

    def _average(self, outputs: list[NDArray[Any]]) -> NDArray[Any]:
        return np.mean(outputs, axis=0, dtype=outputs[0].dtype)

    def constant(self, encoded: NDArray[Any], weight: NDArray[Any]) -> NDArray[np.float64]:
        """Return the weighted mean."""
        return np.average(encoded.astype(np.float64), axis=0, weights=weight)

    def score(
        self, values: NDArray[np.float64], outputs: NDArray[Any], weight: NDArray[Any] | None, *, owner: str
    ) -> float:
        """Return R², averaged over outputs."""
        predicted = self.decode(outputs)
        return float(r2_score(values, predicted.reshape(len(predicted), -1), sample_weight=weight))
