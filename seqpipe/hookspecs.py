"""The hooks by which plug-ins extend seqpipe."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from seqpipe.specs import CellSpec, EngineSpec, TaskSpec

__all__ = ["API_VERSION", "hookimpl", "hookspec", "seqpipe_cells", "seqpipe_engines", "seqpipe_tasks"]

#: Incremented when a hook changes in a backward-incompatible way.
API_VERSION = 1

hookspec = pluggy.HookspecMarker("seqpipe")
hookimpl = pluggy.HookimplMarker("seqpipe")


@hookspec
def seqpipe_cells() -> Iterable[CellSpec]:  # type: ignore[empty-body]
    """Offer recurrent cells: each name becomes a valid value of ``cell=``."""


@hookspec
def seqpipe_engines() -> Iterable[EngineSpec]:  # type: ignore[empty-body]
    """Offer engines, which run a cell over time; they take precedence over built-in engines for cells they support."""


@hookspec
def seqpipe_tasks() -> Iterable[TaskSpec]:  # type: ignore[empty-body]
    """Offer tasks: each name becomes a valid ``task:`` in a recipe."""
