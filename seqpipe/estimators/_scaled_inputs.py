"""Standardized inputs, for estimators that read real numbers."""

from __future__ import annotations

import torch

from seqpipe.estimators._declared import DeclaredEstimator, Group, parameter
from seqpipe.estimators._scaling import feature_statistics
from seqpipe.networks import StandardisedInput
from seqpipe.training import Samples, SequenceNet

__all__ = ["ScaledInputsMixin"]


class ScaledInputsMixin(DeclaredEstimator):
    """Adds ``scale_inputs``."""

    scale_inputs: bool | str = parameter(
        default=True,
        constraint=["boolean"],
        type="bool",
        description=(
            "Whether to standardize each feature by its mean and standard deviation over the valid training steps."
        ),
        group=Group.DATA,
    )

    def _standardize_inputs(self, net: SequenceNet, train: Samples) -> None:
        if self.scale_inputs and isinstance(net.module_.input, StandardisedInput):
            mean, scale = feature_statistics(train.X, train.weight)
            net.module_.input.set(torch.from_numpy(mean), torch.from_numpy(scale))
