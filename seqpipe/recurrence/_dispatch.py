"""Which engine runs a cell: the first in order of speed that does not refuse."""

from __future__ import annotations

import os

from seqpipe.cells import Cell
from seqpipe.recurrence._engine import Engine
from seqpipe.recurrence._fused import FusedEngine
from seqpipe.recurrence._loop import LoopEngine
from seqpipe.recurrence._unrolled import UnrolledEngine
from seqpipe.recurrence.compiler import CompiledEngine

__all__ = ["ENGINES", "UNROLL", "choose_engine"]

_C, _FUSED, _LOOP = CompiledEngine(), FusedEngine(), LoopEngine()
#: The engines that each value of the environment variable SEQPIPE_ENGINE allows for ``unroll="auto"``.
ENGINES: dict[str, tuple[Engine, ...]] = {
    "auto": (_C, _FUSED, _LOOP),
    "c": (_C, _LOOP),
    "fused": (_FUSED, _LOOP),
    "loop": (_LOOP,),
}

#: The engines that each value of ``unroll`` allows, fastest first; the last one takes any cell.
UNROLL: dict[str, tuple[Engine, ...]] = {
    "auto": ENGINES["auto"],
    "dynamic": (_LOOP,),
    "static": (UnrolledEngine(),),
}


def choose_engine(cell: Cell, unroll: str) -> tuple[Engine, str]:
    """Return the engine that runs the cell, and why.

    Raises
    ------
    ValueError
        If SEQPIPE_ENGINE names no engine.
    """
    engines, reason = _allowed(unroll)
    refusals: list[str] = []
    for engine in engines:
        refusal = engine.refuses(cell)
        if refusal is None:
            return engine, "; ".join([*reason, *refusals]) or "the fastest engine that takes this cell"
        refusals.append(f"not {engine.name}: {refusal}")
    raise AssertionError(f"no engine takes {cell!r}")  # the last engine of each value refuses nothing


def _allowed(unroll: str) -> tuple[tuple[Engine, ...], list[str]]:
    if unroll != "auto":
        return UNROLL[unroll], [f'unroll="{unroll}"']
    wanted = os.environ.get("SEQPIPE_ENGINE", "auto")
    if wanted not in ENGINES:
        raise ValueError(
            f"The environment variable SEQPIPE_ENGINE must be one of {list(ENGINES)}. Got {wanted!r} instead."
        )
    return ENGINES[wanted], [] if wanted == "auto" else [f"SEQPIPE_ENGINE={wanted}"]
