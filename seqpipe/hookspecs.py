"""Every place where a plug-in may extend seqpipe."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from seqpipe.specs import CellSpec, EngineSpec, TaskSpec

__all__ = ["API_VERSION", "hookimpl", "hookspec", "seqpipe_cells", "seqpipe_engines", "seqpipe_tasks"]

#: Raised when a hook changes in a way that old plug-ins cannot follow.
API_VERSION = 1

hookspec = pluggy.HookspecMarker("seqpipe")
hookimpl = pluggy.HookimplMarker("seqpipe")


@hookspec
def seqpipe_cells() -> Iterable[CellSpec]:  # type: ignore[empty-body]
    """Offer recurrent cells: each name becomes a valid value of ``cell=``."""


@hookspec
def seqpipe_engines() -> Iterable[EngineSpec]:  # type: ignore[empty-body]
    """Offer engines, ways to run a cell along time: each is asked before seqpipe's own whether it takes a cell."""


@hookspec
def seqpipe_tasks() -> Iterable[TaskSpec]:  # type: ignore[empty-body]
    """Offer tasks: each name becomes a valid ``task:`` in a recipe."""
