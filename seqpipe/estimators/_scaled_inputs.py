"""Standardized inputs, for estimators that read real numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqpipe.estimators._declared import Group, fitted, parameter
from seqpipe.estimators._lost_changes import warn_of_lost_changes
from seqpipe.estimators._parameters import ComputingParameters
from seqpipe.estimators._scaling import feature_statistics
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.networks import StandardisedInput
from seqpipe.saved import ArrayOf
from seqpipe.sequences import Sequences, Windows, cast, offset_of
from seqpipe.training import Samples, SequenceNet

__all__ = ["ScaledInputsMixin"]


class ScaledInputsMixin(ComputingParameters):
    """Adds ``scale_inputs``, and centres what float32 would round."""

    scale_inputs: bool | str = parameter(
        default=True,
        constraint=["boolean"],
        type="bool",
        description=(
            "Whether to standardize each feature by its mean and standard deviation over the valid training steps."
        ),
        group=Group.DATA,
    )

    x_offset_: NDArray[np.float64] = fitted(
        "array of shape (n_features,)",
        "What is subtracted from each feature in float64 before the cast to float32: a typical value of features whose "
        "values are large compared with their variation, such as times and prices; 0 for others.",
        saved=ArrayOf("f", 1),
    )

    def _as_inputs(self, X: Sequences | Windows, *, reset: bool) -> Sequences | Windows:
        """Return validated numbers in the network's type; with ``reset``, determine ``x_offset_``.

        Raises
        ------
        InvalidSequencesError
            If a value is too large for the type.
        """
        if reset:
            centres = self.scale_inputs and self.dtype == "float32"
            self.x_offset_ = offset_of(X) if centres else np.zeros(X.n_features)
        found = cast(X, self._input_dtype(X), self._offset)
        if reset and found.dtype != X.dtype:
            self._warn_of_rounding(X, found.dtype)
        return found

    @property
    def _offset(self) -> NDArray[np.float64] | None:
        """The offset of each feature; None for models of earlier versions."""
        return getattr(self, "x_offset_", None)

    def _input_dtype(self, X: Sequences | Windows) -> np.dtype[Any]:
        """Return the type in which the network takes X."""
        return np.dtype(self.dtype)

    def _warn_of_rounding(self, X: Sequences | Windows, dtype: np.dtype[Any]) -> None:
        def rounded(rows: NDArray[Any]) -> NDArray[Any]:
            return np.asarray((rows - self.x_offset_).astype(dtype))

        remedy = "" if self.scale_inputs else "Set scale_inputs=True. "
        warn_of_lost_changes(X, rounded, "when it is rounded", str(dtype), remedy)

    def _standardize_inputs(self, net: SequenceNet, train: Samples) -> None:
        layer = net.module_.input
        if not (self.scale_inputs and isinstance(layer, StandardisedInput)):
            return
        mean, scale = feature_statistics(train.X, train.weight)
        wrong = np.flatnonzero(~(np.isfinite(mean) & np.isfinite(scale)))
        if len(wrong):
            raise InvalidSequencesError(
                f"Feature {wrong[0]} of X is too large: its mean or standard deviation is not finite. Rescale X."
            )
        layer.set(torch.from_numpy(mean), torch.from_numpy(scale))

        def standardized(rows: NDArray[Any]) -> NDArray[Any]:
            with torch.no_grad():
                return np.asarray(layer(torch.from_numpy(rows).to(layer.shift)).cpu().numpy() * scale)

        warn_of_lost_changes(train.X, standardized, "when it is standardized", self.dtype)
