"""The hooks by which plug-ins extend seqpipe."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from seqpipe.specs import (
    CallbackSpec,
    CellSpec,
    CommandSpec,
    DatasetSpec,
    EngineSpec,
    HeadSpec,
    LossSpec,
    MetricSpec,
    PictureSpec,
    PoolingSpec,
    ReaderSpec,
    TaskSpec,
    TransformerSpec,
    WrapperSpec,
)

__all__ = [
    "API_VERSION",
    "hookimpl",
    "hookspec",
    "seqpipe_callbacks",
    "seqpipe_cells",
    "seqpipe_commands",
    "seqpipe_datasets",
    "seqpipe_engines",
    "seqpipe_heads",
    "seqpipe_losses",
    "seqpipe_metrics",
    "seqpipe_pictures",
    "seqpipe_poolings",
    "seqpipe_readers",
    "seqpipe_tasks",
    "seqpipe_transformers",
    "seqpipe_wrappers",
]

#: Incremented when a hook changes in a backward-incompatible way.
API_VERSION = 1

hookspec = pluggy.HookspecMarker("seqpipe")
hookimpl = pluggy.HookimplMarker("seqpipe")


@hookspec
def seqpipe_callbacks() -> Iterable[CallbackSpec]:  # type: ignore[empty-body]
    """Offer callbacks of training: each name becomes valid in ``net__callbacks``, in recipes as in Python."""


@hookspec
def seqpipe_cells() -> Iterable[CellSpec]:  # type: ignore[empty-body]
    """Offer recurrent cells: each name becomes a valid value of ``cell=``."""


@hookspec
def seqpipe_commands() -> Iterable[CommandSpec]:  # type: ignore[empty-body]
    """Offer commands: each name becomes a command after ``seqpipe``."""


@hookspec
def seqpipe_datasets() -> Iterable[DatasetSpec]:  # type: ignore[empty-body]
    """Offer data sets: each name becomes a valid ``dataset:`` in a recipe."""


@hookspec
def seqpipe_engines() -> Iterable[EngineSpec]:  # type: ignore[empty-body]
    """Offer engines, which run a cell over time; they take precedence over built-in engines for cells they support."""


@hookspec
def seqpipe_heads() -> Iterable[HeadSpec]:  # type: ignore[empty-body]
    """Offer output layers: each name becomes a valid value of ``head=``."""


@hookspec
def seqpipe_losses() -> Iterable[LossSpec]:  # type: ignore[empty-body]
    """Offer losses: each name becomes a valid value of ``net__criterion``, in recipes as in Python."""


@hookspec
def seqpipe_metrics() -> Iterable[MetricSpec]:  # type: ignore[empty-body]
    """Offer scores of predictions: each name becomes valid as ``scoring:`` of a search and in ``metrics:`` of an evaluation."""


@hookspec
def seqpipe_pictures() -> Iterable[PictureSpec]:  # type: ignore[empty-body]
    """Offer pictures of a fitted model: each name becomes valid in ``pictures:`` of an evaluation."""


@hookspec
def seqpipe_poolings() -> Iterable[PoolingSpec]:  # type: ignore[empty-body]
    """Offer poolings over time: each name becomes a valid value of ``pooling=``."""


@hookspec
def seqpipe_readers() -> Iterable[ReaderSpec]:  # type: ignore[empty-body]
    """Offer readers: files with their suffixes become valid as ``path:`` of a recipe and in ``seqpipe predict``."""


@hookspec
def seqpipe_tasks() -> Iterable[TaskSpec]:  # type: ignore[empty-body]
    """Offer tasks: each name becomes a valid ``task:`` in a recipe."""


@hookspec
def seqpipe_transformers() -> Iterable[TransformerSpec]:  # type: ignore[empty-body]
    """Offer transformers: each name becomes valid in ``steps:`` of a recipe."""


@hookspec
def seqpipe_wrappers() -> Iterable[WrapperSpec]:  # type: ignore[empty-body]
    """Offer wrappers of cells: each name becomes valid in ``wrappers=``."""
