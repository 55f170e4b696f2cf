"""Cells whose step is linear in the state, so that all steps are computed in parallel."""

from __future__ import annotations

import seqpipe
from seqpipe_linear.lru import LRUCell
from seqpipe_linear.min_lstm import MinLSTMCell
from seqpipe_linear.rg_lru import RGLRUCell
from seqpipe_linear.s5 import S5Cell
from seqpipe_linear.sru import SRUCell

__all__ = ["LRUCell", "MinLSTMCell", "RGLRUCell", "S5Cell", "SRUCell", "seqpipe_cells"]

SEQPIPE_API = 1


@seqpipe.hookimpl
def seqpipe_cells() -> list[seqpipe.CellSpec]:
    """Offer the cells."""
    return [
        seqpipe.CellSpec("min_lstm", MinLSTMCell, summary="LSTM whose gates do not read the state"),
        seqpipe.CellSpec("lru", LRUCell, summary="linear recurrent unit with a complex diagonal"),
        seqpipe.CellSpec("rg_lru", RGLRUCell, summary="real-gated linear recurrent unit of Griffin"),
        seqpipe.CellSpec("sru", SRUCell, summary="simple recurrent unit with a highway connection"),
        seqpipe.CellSpec("s5", S5Cell, summary="diagonal state space model"),
    ]
