"""The cells of the xLSTM: exponential gates, a normaliser, and a stabiliser of their exponents."""

from __future__ import annotations

import seqpipe
from seqpipe_xlstm.mlstm import MLSTMCell
from seqpipe_xlstm.slstm import SLSTMCell

__all__ = ["MLSTMCell", "SLSTMCell", "seqpipe_cells"]

SEQPIPE_API = 1


@seqpipe.hookimpl
def seqpipe_cells() -> list[seqpipe.CellSpec]:
    """Offer the cells."""
    return [
        seqpipe.CellSpec("slstm", SLSTMCell, summary="LSTM with exponential gates and a scalar memory"),
        seqpipe.CellSpec("mlstm", MLSTMCell, summary="LSTM with exponential gates and a matrix memory"),
    ]
