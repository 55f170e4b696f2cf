"""Which engine runs a cell: the first in order of speed that does not refuse."""

from __future__ import annotations

from seqpipe.cells import Cell
from seqpipe.recurrence._engine import Engine
from seqpipe.recurrence._fused import FusedEngine
from seqpipe.recurrence._loop import LoopEngine
from seqpipe.recurrence._unrolled import UnrolledEngine

__all__ = ["UNROLL", "choose_engine"]

#: The engines that each value of ``unroll`` allows, fastest first; the last one takes any cell.
UNROLL: dict[str, tuple[Engine, ...]] = {
    "auto": (FusedEngine(), LoopEngine()),
    "dynamic": (LoopEngine(),),
    "static": (UnrolledEngine(),),
}


def choose_engine(cell: Cell, unroll: str) -> tuple[Engine, str]:
    """Return the engine that runs the cell, and why."""
    refusals: list[str] = []
    for engine in UNROLL[unroll]:
        refusal = engine.refuses(cell)
        if refusal is None:
            reason = "; ".join(refusals) or (f'unroll="{unroll}"' if unroll != "auto" else "torch computes this cell")
            return engine, reason
        refusals.append(f"not {engine.name}: {refusal}")
    raise AssertionError(f"no engine takes {cell!r}")  # the last engine of each value refuses nothing
