"""`TargetCodec`: the interface of target codecs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from seqpipe.saved import Schema, Whole
from seqpipe.sequences import Sequences, Windows

__all__ = ["TargetCodec"]


@dataclass(frozen=True)
class TargetCodec(ABC):
    """Encodes targets for the network and decodes its outputs.

    Rows are sequences, or all time steps of all sequences.

    Attributes
    ----------
    ndim : int
        Number of dimensions of targets: 1 for (n_rows,), 2 for (n_rows, n_targets).
    """

    ndim: int

    criterion: ClassVar[type[torch.nn.Module]]
    #: Whether encoded targets are class indices (n_rows,) rather than an array (n_rows, n_outputs).
    numbers_classes: ClassVar[bool] = False
    _saved: ClassVar[dict[str, Schema]] = {"ndim": Whole(1, 2)}

    @staticmethod
    @abstractmethod
    def read(y: Any, n_samples: int, *, owner: str) -> NDArray[Any]:
        """Validate targets per sequence; return an array of shape (n_samples,) or (n_samples, n_targets)."""

    @staticmethod
    @abstractmethod
    def read_steps(rows: NDArray[Any], X: Sequences | Windows, *, owner: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Validate targets (total_steps, n_targets); return them and a mask of known ones; others have any value."""

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """Number of outputs of the network."""

    @abstractmethod
    def encode(self, values: NDArray[Any]) -> NDArray[Any]:
        """Encode targets as returned by `read` or `read_steps` for the network."""

    @abstractmethod
    def decode(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Decode outputs (n_rows, n_outputs) to predictions of shape (n_rows,) or (n_rows, n_targets)."""

    def average(self, outputs: list[NDArray[Any]]) -> NDArray[Any]:
        """Return the outputs (n_rows, n_outputs) of which predictions are the average of those of several networks."""
        return outputs[0] if len(outputs) == 1 else self._average(outputs)

    @abstractmethod
    def _average(self, outputs: list[NDArray[Any]]) -> NDArray[Any]:
        """Return `average` for two or more networks."""

    @abstractmethod
    def score(self, values: NDArray[Any], outputs: NDArray[Any], weight: NDArray[Any] | None, *, owner: str) -> float:
        """Return the score of the network's outputs, 1.0 at best; ``weight`` has one entry per row."""

    @abstractmethod
    def constant(self, encoded: NDArray[Any], weight: NDArray[Any]) -> NDArray[np.float64]:
        """Return the outputs, shape (n_outputs,), of a constant prediction learned from encoded targets and weights."""

    def criterion_params(self) -> dict[str, Any]:
        """Return the arguments of the criterion."""
        return {}
