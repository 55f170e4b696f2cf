"""Pooling of the outputs at all valid steps to one vector per sequence."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor, nn

from seqpipe.networks._plugged import check_shape
from seqpipe.plugins import host
from seqpipe.recurrence import ValidSteps

__all__ = [
    "AttentionPooling",
    "LastMeanPooling",
    "LastPooling",
    "MaxPooling",
    "MeanPooling",
    "Pooling",
    "make_pooling",
]


class Pooling(nn.Module):
    """Base class of poolings: map outputs of all time steps to one vector per sequence."""

    #: Number of features of the result.
    output_size: int

    def forward(self, outputs: Tensor, valid: ValidSteps | None) -> Tensor:
        """Map outputs (batch, n_timesteps, n_features), zero in the padding, to (batch, output_size).

        ``valid`` is None if all steps are valid.
        """
        raise NotImplementedError


class LastPooling(Pooling):
    """The final output of each direction: at the last valid step forward, at the first one backward."""

    def __init__(self, n_features: int, num_directions: int) -> None:
        super().__init__()
        self.output_size = n_features
        self.forward_size = n_features // num_directions

    def forward(self, outputs: Tensor, valid: ValidSteps | None) -> Tensor:
        """Map outputs (batch, n_timesteps, n_features) to (batch, n_features)."""
        if self.forward_size == self.output_size:
            return _last(outputs, valid)
        last = _last(outputs[:, :, : self.forward_size], valid)
        return torch.cat([last, outputs[:, 0, self.forward_size :]], dim=1)


def _last(outputs: Tensor, valid: ValidSteps | None) -> Tensor:
    return outputs[:, -1] if valid is None else valid.last(outputs, torch.zeros_like(outputs[:, 0]))


class MeanPooling(Pooling):
    """The mean over valid steps."""

    def __init__(self, n_features: int, num_directions: int = 1) -> None:
        super().__init__()
        self.output_size = n_features

    def forward(self, outputs: Tensor, valid: ValidSteps | None) -> Tensor:
        """Map outputs (batch, n_timesteps, n_features), zero in the padding, to (batch, n_features)."""
        if valid is None:
            return outputs.mean(dim=1)
        return outputs.sum(dim=1) / valid.lengths.clamp(min=1)[:, None]


class LastMeanPooling(Pooling):
    """The final output of each direction concatenated with the mean over valid steps."""

    def __init__(self, n_features: int, num_directions: int) -> None:
        super().__init__()
        self.last = LastPooling(n_features, num_directions)
        self.mean = MeanPooling(n_features)
        self.output_size = 2 * n_features

    def forward(self, outputs: Tensor, valid: ValidSteps | None) -> Tensor:
        """Map outputs (batch, n_timesteps, n_features), zero in the padding, to (batch, 2 * n_features)."""
        if self.last.forward_size < self.last.output_size:
            return torch.cat([self.last(outputs, valid), self.mean(outputs, valid)], dim=1)
        # Both are sums over time: as one matrix product, the backward pass is one as well instead of ten.
        return torch.bmm(_last_and_mean(outputs, valid), outputs).flatten(1)


def _last_and_mean(outputs: Tensor, valid: ValidSteps | None) -> Tensor:
    """Return the weights of the steps in the last output and in the mean of each row, shape (batch, 2, n_timesteps)."""
    n, n_timesteps, _ = outputs.shape
    if valid is None:
        return _same_for_all(n_timesteps, outputs.dtype, outputs.device).expand(n, 2, n_timesteps)
    last = torch.arange(n_timesteps, device=outputs.device) == valid.lengths[:, None] - 1
    mean = valid.mask.to(outputs.dtype) / valid.lengths.clamp(min=1)[:, None]
    return torch.stack([last.to(outputs.dtype), mean], dim=1)


@lru_cache(maxsize=16)
def _same_for_all(n_timesteps: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        last = torch.zeros(n_timesteps, dtype=dtype, device=device)
        last[-1] = 1
        return torch.stack([last, torch.full_like(last, 1 / n_timesteps)])


class MaxPooling(Pooling):
    """The maximum over valid steps."""

    def __init__(self, n_features: int, num_directions: int = 1) -> None:
        super().__init__()
        self.output_size = n_features

    def forward(self, outputs: Tensor, valid: ValidSteps | None) -> Tensor:
        """Map outputs (batch, n_timesteps, n_features) to (batch, n_features)."""
        if valid is not None:
            outputs = outputs.masked_fill(~valid.mask[:, :, None], -torch.inf)
        return outputs.amax(dim=1)


class AttentionPooling(Pooling):
    """A learned weighted mean over valid steps (Bahdanau et al., 2015, arXiv:1409.0473, eq. 6, without query)."""

    def __init__(self, n_features: int, num_directions: int = 1) -> None:
        super().__init__()
        self.output_size = n_features
        self.hidden = nn.Linear(n_features, n_features)
        self.score = nn.Linear(n_features, 1, bias=False)

    def forward(self, outputs: Tensor, valid: ValidSteps | None) -> Tensor:
        """Map outputs (batch, n_timesteps, n_features) to (batch, n_features)."""
        scores = self.score(torch.tanh(self.hidden(outputs)))[:, :, 0]
        if valid is not None:
            scores = scores.masked_fill(~valid.mask, -torch.inf)
        return torch.einsum("bt,btf->bf", scores.softmax(dim=1), outputs)


def make_pooling(name: str, n_features: int, num_directions: int) -> Pooling:
    """Return the pooling registered under a name, for outputs of ``n_features``; its ``output_size`` is that of the result.

    Raises
    ------
    PluginError
        If that of a plug-in does not keep the protocol.
    """
    found = host().find("pooling", name, parameter="'pooling'")
    if found.is_builtin:
        made: Pooling = found.spec.factory(n_features, num_directions)
        return made
    plugged: Any = found.create(n_features, num_directions)
    if not isinstance(plugged, nn.Module) or not isinstance(getattr(plugged, "output_size", None), int):
        raise found.error(f"must be a torch module with an 'output_size'. Its factory returned {plugged!r:.60} instead")
    pooling = cast(Pooling, plugged)
    check_shape(found, pooling, (2, 3, n_features), (2, pooling.output_size), None)
    return pooling
