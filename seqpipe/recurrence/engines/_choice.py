"""Which engine runs a cell: the first that does not refuse, of those that were not measured to be slower."""

from __future__ import annotations

import os
from collections.abc import Sequence

from seqpipe.cells import Cell
from seqpipe.recurrence.engines._catalogue import all_engines, engine_named
from seqpipe.recurrence.engines._engine import Engine
from seqpipe.recurrence.engines._loop import LoopEngine
from seqpipe.recurrence.engines._measured import behind_torch
from seqpipe.recurrence.engines._sizes import Sizes
from seqpipe.recurrence.engines._unrolled import UnrolledEngine

__all__ = ["UNROLL", "choose_engine"]

#: What each value of ``unroll`` but "auto" runs.
_UNROLLED: dict[str, Engine] = {"dynamic": LoopEngine(), "static": UnrolledEngine()}
#: The values of ``unroll``.
UNROLL = ("auto", *_UNROLLED)


def choose_engine(cell: Cell, unroll: str, sizes: Sizes | None = None) -> tuple[Engine, str]:
    """Return the engine that runs the cell, and why.

    Parameters
    ----------
    cell : Cell
        What is run.
    unroll : str
        One of `UNROLL`.
    sizes : Sizes, optional
        Of the run; without them nothing is known about speed but the engines' general order.

    Raises
    ------
    UnknownNameError
        If SEQPIPE_ENGINE names no engine.
    PluginError
        If several distributions offer the engine that it names.
    """
    engines, reasons = _allowed(cell, unroll, sizes)
    for engine in engines:
        refusal = engine.refuses(cell)
        if refusal is None:
            return engine, "; ".join(reasons or [_in_general(engine)])
        reasons.append(f"not {engine.name}: {refusal}")
    raise AssertionError(f"no engine takes {cell!r}")  # the last engine refuses nothing


def _in_general(engine: Engine) -> str:
    """Say why an engine comes before all others that take the cell."""
    if engine.offered_by:
        return f"offered by the plug-in {engine.offered_by!r}, whose engines are asked before seqpipe's own"
    return "the first of seqpipe's engines that takes this cell"


def _allowed(cell: Cell, unroll: str, sizes: Sizes | None) -> tuple[Sequence[Engine], list[str]]:
    if unroll != "auto":
        return [_UNROLLED[unroll]], [f'unroll="{unroll}"']
    wanted = os.environ.get("SEQPIPE_ENGINE", "auto")
    if wanted == "auto":
        return _by_measure(all_engines(), cell, sizes)
    return [engine_named(wanted), _UNROLLED["dynamic"]], [f"SEQPIPE_ENGINE={wanted}"]


def _by_measure(engines: Sequence[Engine], cell: Cell, sizes: Sizes | None) -> tuple[Sequence[Engine], list[str]]:
    """Put the engines that are slower than torch's kernel at these sizes behind it."""
    slower: frozenset[str] = frozenset() if sizes is None else behind_torch(cell, sizes)
    if sizes is None or not slower:
        return engines, []
    names = [engine.name for engine in engines]
    before = names[: names.index("fused")]
    behind = [name for name in before if name in slower]
    order = [*(n for n in before if n not in slower), "fused", *behind, *names[len(before) + 1 :]]
    by_name = dict(zip(names, engines))
    return [by_name[name] for name in order], [
        f"torch's kernel was measured to be faster than {' and '.join(behind)} near batch {sizes.batch}, "
        f"{sizes.n_timesteps} steps, hidden size {cell.hidden_size}"
    ]
