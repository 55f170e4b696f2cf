"""`SequenceNetwork`: encoder and head, one output vector per sequence."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqpipe.networks._dropout import Dropout
from seqpipe.networks._head import make_head
from seqpipe.networks._inputs import make_input
from seqpipe.networks._patching import Patching
from seqpipe.networks._pooling import make_pooling
from seqpipe.networks._sequence_scaling import SequenceScaling
from seqpipe.recurrence import Recurrent, ValidSteps

__all__ = ["SequenceNetwork"]


class SequenceNetwork(nn.Module):
    """Standardise or embed the input, join it to patches, run a cell over time, pool, and map to the outputs.

    Parameters
    ----------
    n_features, n_outputs : int
        Number of features per step, and of outputs per sequence.
    recurrent : callable (input_size) -> Recurrent
        Creates the recurrent layers.
    n_tokens : int or None
        Size of the vocabulary if the input is token indices, else None.
    embedding : int, "one_hot" or None
        Embedding of token indices; None for numbers.
    scaling : {"sequences", "both"}, optional
        Standardises each sequence by its own statistics, see `SequenceScaling`; with "both" these are inputs as well.
    patch_length, patch_stride : int
        Time steps per input of the recurrent layers, and from the start of one input to the next, see `Patching`.
    dropout : float
        Dropout probability before the output layer.
    pooling : str
        Registered name of the pooling over time.
    head : str
        Registered name of the output layer.
    dtype : torch.dtype
        Data type of all parameters.
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        recurrent: Callable[[int], Recurrent],
        n_tokens: int | None = None,
        embedding: int | str | None = None,
        scaling: str | None = None,
        patch_length: int = 1,
        patch_stride: int = 1,
        dropout: float = 0.0,
        pooling: str = "last_mean",
        head: str = "linear",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.scaling = None if scaling is None else SequenceScaling(n_features, keep=scaling == "both", dtype=dtype)
        self.input = make_input(n_features, n_tokens, embedding)
        patching = Patching(self.input.output_size, patch_length, patch_stride)
        self.patching = patching if patch_length > 1 else None
        self.recurrent = recurrent(patching.output_size + (0 if self.scaling is None else self.scaling.n_statistics))
        self.pooling = make_pooling(pooling, self.recurrent.output_size, self.recurrent.num_directions)
        self.dropout = Dropout(dropout)
        self.head = make_head(head, self.pooling.output_size, n_outputs)
        self.to(dtype)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map x (batch, n_timesteps, n_features) and lengths (batch,) to outputs (batch, n_outputs)."""
        statistics = None
        if self.scaling is not None:
            x, statistics = self.scaling(x, lengths)
        x = self.input(x)
        if self.patching is not None:
            x, lengths = self.patching(x, lengths)
        if statistics is not None:
            x = torch.cat([x, statistics[:, None].expand(-1, x.shape[1], -1)], dim=2)
        outputs, _ = self.recurrent(x, lengths)
        valid = None if lengths is None else ValidSteps.of(lengths, x.shape[1], x.device)
        logits: Tensor = self.head(self.dropout(self.pooling(outputs, valid)))
        return logits
