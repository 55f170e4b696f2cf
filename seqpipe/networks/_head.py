"""The output layer of a network, by its registered name."""

from __future__ import annotations

from torch import nn

from seqpipe.networks._plugged import check_shape
from seqpipe.plugins import host

__all__ = ["make_head"]


def make_head(name: str, n_features: int, n_outputs: int) -> nn.Module:
    """Return the output layer registered under a name.

    Raises
    ------
    PluginError
        If that of a plug-in does not keep the protocol.
    """
    found = host().find("head", name, parameter="'head'")
    if found.is_builtin:
        made: nn.Module = found.spec.factory(n_features, n_outputs)
        return made
    head = found.create(n_features, n_outputs)
    if not isinstance(head, nn.Module):
        raise found.error(f"must be a torch module. Its factory returned {head!r:.60} instead")
    for shape in ((2,), (2, 3)):
        check_shape(found, head, (*shape, n_features), (*shape, n_outputs))
    return head
