"""Cells with a matrix per head that a delta rule updates."""

from __future__ import annotations

import seqpipe
from seqpipe_delta.delta_net import DeltaNetCell
from seqpipe_delta.gated_delta_net import GatedDeltaNetCell
from seqpipe_delta.rwkv7 import RWKV7Cell

__all__ = ["DeltaNetCell", "GatedDeltaNetCell", "RWKV7Cell", "seqpipe_cells"]

SEQPIPE_API = 1


@seqpipe.hookimpl
def seqpipe_cells() -> list[seqpipe.CellSpec]:
    """Offer the cells."""
    return [
        seqpipe.CellSpec("delta_net", DeltaNetCell, summary="matrix memory updated by the delta rule"),
        seqpipe.CellSpec("gated_delta_net", GatedDeltaNetCell, summary="delta rule with a gate that forgets"),
        seqpipe.CellSpec("rwkv7", RWKV7Cell, summary="generalised delta rule of RWKV-7"),
    ]
