"""Convolutional cells for seqpipe, whose states are stacks of feature maps."""

from __future__ import annotations

import seqpipe
from seqpipe_conv._convgru import ConvGRUCell
from seqpipe_conv._convlstm import ConvLSTMCell

__all__ = ["ConvGRUCell", "ConvLSTMCell", "seqpipe_cells"]

SEQPIPE_API = 1


@seqpipe.hookimpl
def seqpipe_cells() -> list[seqpipe.CellSpec]:
    """Offer the cells."""
    return [
        seqpipe.CellSpec("convgru", ConvGRUCell, summary="convolutional GRU, for frames"),
        seqpipe.CellSpec("convlstm", ConvLSTMCell, summary="convolutional LSTM, for frames"),
    ]
