"""Inputs standardized per feature, per sequence, or both, for estimators with one target per sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import StrOptions

from seqpipe.estimators._declared import Group, parameter
from seqpipe.estimators._scaling import weighted_statistics
from seqpipe.estimators._sequence_estimator import SequenceEstimator
from seqpipe.networks import SequenceScaling
from seqpipe.sequences import Sequences, Windows
from seqpipe.training import Batches, Samples, SequenceNet

__all__ = ["ScaledSequencesEstimator"]

_BATCH = 256


class ScaledSequencesEstimator(SequenceEstimator):
    """Extends ``scale_inputs`` by statistics of each sequence."""

    scale_inputs: bool | str = parameter(
        default=True,
        constraint=["boolean", StrOptions({"features", "sequences", "both"})],
        type='bool, "features", "sequences" or "both"',
        description=(
            "Whether to standardize each feature by its mean and standard deviation over the valid training steps: True "
            'or "features". "sequences" uses the mean and standard deviation of each sequence instead, if its level and '
            'scale tell nothing; "both" does so, and passes them to the network.'
        ),
        group=Group.DATA,
    )

    @property
    def _scales_sequences(self) -> bool:
        return self.embedding is None and self.scale_inputs in ("sequences", "both")

    def _input_dtype(self, X: Sequences | Windows) -> np.dtype[Any]:
        """Return the type of X, if the levels of sequences are subtracted by the network."""
        dtype = super()._input_dtype(X)
        return np.promote_types(dtype, X.dtype) if self._scales_sequences else dtype

    def _network_settings(self) -> dict[str, Any]:
        return {**super()._network_settings(), "scaling": self.scale_inputs if self._scales_sequences else None}

    def _standardize_inputs(self, net: SequenceNet, train: Samples) -> None:
        scaling: SequenceScaling | None = net.module_.scaling
        if scaling is None:
            super()._standardize_inputs(net, train)
        elif scaling.statistics is not None:
            batches = Batches(train, _BATCH, torch.device(net.device))
            with torch.no_grad():
                parts = [scaling.scaled(inputs["x"], inputs.get("lengths"))[1].cpu().numpy() for inputs, _ in batches]
            mean, scale = weighted_statistics(np.concatenate(parts), None)
            scaling.statistics.set(torch.from_numpy(mean), torch.from_numpy(scale))
