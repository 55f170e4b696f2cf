"""`TargetCodec`: the interface of a kind of target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray

from seqpipe.sequences import Sequences, Windows

__all__ = ["TargetCodec"]


@dataclass(frozen=True)
class TargetCodec(ABC):
    """Maps targets to what the network is trained on, and its outputs to predictions.

    Rows are sequences, or all time steps of all sequences.

    Attributes
    ----------
    ndim : int
        Dimensions of targets: 1 for (n_rows,), 2 for (n_rows, n_targets).
    """

    ndim: int

    criterion: ClassVar[type[torch.nn.Module]]
    #: Whether encoded targets are class numbers (n_rows,), else an array (n_rows, n_outputs).
    numbers_classes: ClassVar[bool] = False

    @staticmethod
    @abstractmethod
    def read(y: Any, n_samples: int, *, owner: str) -> NDArray[Any]:
        """Return targets of sequences as an array of shape (n_samples,) or (n_samples, n_targets), checked."""

    @staticmethod
    @abstractmethod
    def read_steps(rows: NDArray[Any], X: Sequences | Windows, *, owner: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return checked targets of all steps, any where unknown, and which are known, from rows (total_steps, n_targets)."""

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """Number of outputs of the network."""

    @abstractmethod
    def encode(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return what the network is trained on, from what `read` or `read_steps` gave."""

    @abstractmethod
    def decode(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return predictions (n_rows,) or (n_rows, n_targets), by ``ndim``, from the network's outputs (n_rows, n_outputs)."""

    @abstractmethod
    def score(self, values: NDArray[Any], outputs: NDArray[Any], weight: NDArray[Any] | None, *, owner: str) -> float:
        """Return how well the network's outputs predict the targets, 1.0 at best, weighted by row."""

    def criterion_params(self) -> dict[str, Any]:
        """Return arguments of the criterion."""
        return {}
