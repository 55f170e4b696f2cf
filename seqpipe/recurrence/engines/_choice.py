"""The choice of the engine that runs a cell."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

from seqpipe.cells import Cell
from seqpipe.recurrence.engines._catalogue import ENGINE_OF_UNROLL, all_engines, engine_named
from seqpipe.recurrence.engines._engine import Engine
from seqpipe.recurrence.engines._loop import LoopEngine
from seqpipe.recurrence.engines._measured import slower_than_torch
from seqpipe.recurrence.engines._sizes import Sizes

__all__ = ["check_engine", "choose_engine", "engine_or_unroll", "warn_of_unroll"]

_LOOP = LoopEngine()


def check_engine(name: str, *, owner: str = "Recurrent") -> None:
    """Check a value of the parameter ``engine`` of ``owner``, and SEQPIPE_ENGINE if it decides.

    Raises
    ------
    UnknownNameError
        If it is neither "auto" nor the name of an engine.
    PluginError
        If several distributions offer the engine.
    """
    if not isinstance(name, str) or name != "auto":
        engine_named(name, parameter=f"The 'engine' parameter of {owner}")
    else:
        _engine_of_environment()


def engine_or_unroll(engine: str, unroll: str | None) -> str:
    """Return the engine that ``engine`` and the deprecated ``unroll`` select.

    Raises
    ------
    ValueError
        If both are set.
    """
    if unroll is None:
        return engine
    if not isinstance(engine, str) or engine != "auto":
        raise ValueError(
            f"engine={engine!r} and unroll={unroll!r} cannot both be set: 'unroll' is deprecated; remove it."
        )
    return ENGINE_OF_UNROLL[unroll]


def warn_of_unroll(unroll: str, *, owner: str, stacklevel: int) -> None:
    """Warn that the parameter ``unroll`` of ``owner`` is deprecated; ``stacklevel`` counts from the caller."""
    warnings.warn(
        f"The 'unroll' parameter of {owner} is deprecated. Use engine={ENGINE_OF_UNROLL[unroll]!r} instead of "
        f"unroll={unroll!r}.",
        FutureWarning,
        stacklevel=stacklevel + 1,
    )


def choose_engine(cell: Cell, name: str, sizes: Sizes | None = None) -> tuple[Engine, str]:
    """Return the engine that runs the cell, and the reason for the choice.

    Parameters
    ----------
    cell : Cell
        Cell to run.
    name : str
        "auto", or the name of an engine.
    sizes : Sizes, optional
        Sizes of the run, which determine the fastest engine; without them the default order applies.

    Raises
    ------
    UnknownNameError
        If SEQPIPE_ENGINE is not the name of an engine.
    PluginError
        If several distributions offer the engine named by SEQPIPE_ENGINE.
    """
    engines, reasons = _allowed(cell, name, sizes)
    for engine in engines:
        refusal = engine.refuses(cell)
        if refusal is None:
            return engine, "; ".join(reasons or [_default_reason(engine)])
        reasons.append(f"not {engine.name}: {refusal}")
    raise AssertionError(f"no engine takes {cell!r}")  # the last engine refuses nothing


def _default_reason(engine: Engine) -> str:
    """Return why an engine has priority over the others that accept the cell."""
    if engine.offered_by:
        return f"offered by the plug-in {engine.offered_by!r}, whose engines have priority over seqpipe's own"
    return "the first of seqpipe's engines that accepts this cell"


def _allowed(cell: Cell, name: str, sizes: Sizes | None) -> tuple[Sequence[Engine], list[str]]:
    if name != "auto":
        return [engine_named(name), _LOOP], [f'engine="{name}"']
    wanted = _engine_of_environment()
    if wanted is None:
        return _reordered(all_engines(), cell, sizes)
    return [wanted, _LOOP], [f"SEQPIPE_ENGINE={wanted.name}"]


def _engine_of_environment() -> Engine | None:
    """Return the engine that SEQPIPE_ENGINE selects, or None if it is "auto" or not set."""
    name = os.environ.get("SEQPIPE_ENGINE", "auto")
    return None if name == "auto" else engine_named(name, parameter="The environment variable SEQPIPE_ENGINE")


def _reordered(engines: Sequence[Engine], cell: Cell, sizes: Sizes | None) -> tuple[Sequence[Engine], list[str]]:
    """Move the engines that are slower than torch's kernel at these sizes behind it."""
    slower: frozenset[str] = frozenset() if sizes is None else slower_than_torch(cell, sizes)
    if sizes is None or not slower:
        return engines, []
    names = [engine.name for engine in engines]
    before = names[: names.index("fused")]
    behind = [name for name in before if name in slower]
    order = [*(n for n in before if n not in slower), "fused", *behind, *names[len(before) + 1 :]]
    by_name = dict(zip(names, engines))
    return [by_name[name] for name in order], [
        f"torch's kernel was measured to be faster than {' and '.join(behind)} near batch size {sizes.batch}, "
        f"{sizes.n_timesteps} steps, hidden size {cell.hidden_size}"
    ]
