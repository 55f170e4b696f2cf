"""The kinds of objects that plug-ins offer: the hook and the record of each."""

from __future__ import annotations

from dataclasses import dataclass

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
    Spec,
    TaskSpec,
    TransformerSpec,
    WrapperSpec,
)

__all__ = ["KINDS", "KIND_OF_HOOK", "KIND_OF_SPEC", "Kind"]


@dataclass(frozen=True)
class Kind:
    """A kind of object.

    Attributes
    ----------
    name : str
        Its name in messages and tables.
    spec : subclass of Spec
        The record of one object.
    """

    name: str
    spec: type[Spec]

    @property
    def hook(self) -> str:
        """The hook that offers such records."""
        return "seqpipe_losses" if self.name == "loss" else f"seqpipe_{self.name}s"


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("callback", CallbackSpec),
        Kind("cell", CellSpec),
        Kind("command", CommandSpec),
        Kind("dataset", DatasetSpec),
        Kind("engine", EngineSpec),
        Kind("head", HeadSpec),
        Kind("loss", LossSpec),
        Kind("metric", MetricSpec),
        Kind("picture", PictureSpec),
        Kind("pooling", PoolingSpec),
        Kind("reader", ReaderSpec),
        Kind("task", TaskSpec),
        Kind("transformer", TransformerSpec),
        Kind("wrapper", WrapperSpec),
    )
}
KIND_OF_HOOK = {kind.hook: kind.name for kind in KINDS.values()}
KIND_OF_SPEC = {kind.spec.__name__: kind.name for kind in KINDS.values()}
