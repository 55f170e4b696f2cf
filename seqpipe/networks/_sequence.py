"""`SequenceNetwork`: encoder and head, one vector a sequence."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqpipe.cells import Cell
from seqpipe.networks._pooling import make_pooling
from seqpipe.recurrence import Recurrent, ValidSteps

__all__ = ["SequenceNetwork"]


class SequenceNetwork(nn.Module):
    """Standardise the input, run a cell along it, pool over time, and map to the outputs.

    Parameters
    ----------
    n_features, n_outputs : int
        Features of a step, and outputs of a sequence.
    cell : callable (input_size, hidden_size) -> Cell
        Makes the first cell.
    hidden_size, num_layers : int
        Width and number of recurrent layers.
    bidirectional : bool
        Whether every layer runs both ways.
    dropout : float
        Share of values dropped between layers and before the output layer.
    pooling : {"attention", "last", "last_mean", "max", "mean"}
        How the steps become one vector.
    dtype : torch.dtype
        Of all parameters.
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        cell: Callable[[int, int], Cell],
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        pooling: str = "last_mean",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.recurrent = Recurrent(
            cell(n_features, hidden_size).to(dtype),
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout,
        )
        self.pooling = make_pooling(pooling, self.recurrent.output_size, self.recurrent.num_directions)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.pooling.output_size, n_outputs)
        self.register_buffer("shift", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))
        self.to(dtype)

    def set_scaling(self, mean: Tensor, scale: Tensor) -> None:
        """Standardise the input by these statistics of shape (n_features,)."""
        self.shift.copy_(mean)
        self.scale.copy_(scale)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map x (batch, n_timesteps, n_features) and lengths (batch,) to outputs (batch, n_outputs)."""
        outputs, _ = self.recurrent((x - self.shift) / self.scale, lengths)
        valid = None if lengths is None else ValidSteps.of(lengths, x.shape[1], x.device)
        logits: Tensor = self.head(self.dropout(self.pooling(outputs, valid)))
        return logits
