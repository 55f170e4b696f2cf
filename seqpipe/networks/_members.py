"""Several networks of the same kind as one module, which runs each over its block of rows of a batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.networks._inputs import StandardisedInput
from seqpipe.recurrence import Recurrent, RecurrentMembers

__all__ = ["join_members"]


class _LinearMembers(nn.Module):
    """A linear layer per member, as one batched product."""

    def __init__(self, members: Sequence[nn.Linear]) -> None:
        super().__init__()
        self._weights: list[Tensor] = [member.weight for member in members]
        self._biases: list[Tensor] | None = None if members[0].bias is None else [member.bias for member in members]

    def forward(self, x: Tensor) -> Tensor:
        """Map x (members * rows, …, n_features) to (members * rows, …, n_outputs)."""
        weight = torch.stack(self._weights).mT
        blocks = x.reshape(len(weight), -1, x.shape[-1])
        if self._biases is None:
            outputs = torch.bmm(blocks, weight)
        else:
            outputs = torch.baddbmm(torch.stack(self._biases)[:, None], blocks, weight)
        return outputs.view(*x.shape[:-1], -1)


class _EmbeddingMembers(nn.Module):
    """An embedding per member, as one table."""

    def __init__(self, members: Sequence[nn.Embedding]) -> None:
        super().__init__()
        self._tables: list[Tensor] = [member.weight for member in members]

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (members * rows, …) to (members * rows, …, size)."""
        table = torch.cat(self._tables)
        first = torch.arange(0, len(table), len(self._tables[0]), device=tokens.device)
        blocks = tokens.reshape(len(self._tables), -1) + first[:, None]
        return F.embedding(blocks.view(tokens.shape), table)


class _StandardisedMembers(nn.Module):
    """Standardisation by statistics of each member."""

    def __init__(self, members: Sequence[StandardisedInput]) -> None:
        super().__init__()
        self.output_size = members[0].output_size
        self._shift = torch.stack([member.shift for member in members])
        self._scale = torch.stack([member.scale for member in members])

    def forward(self, x: Tensor) -> Tensor:
        """Map x (members * rows, …, n_features) to the same shape."""
        blocks = x.reshape(len(self._shift), -1, x.shape[-1])
        return ((blocks - self._shift[:, None]) / self._scale[:, None]).view(x.shape)


#: The joined form of each kind of module with parameters or buffers.
_JOINED: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    Recurrent: RecurrentMembers,
    StandardisedInput: _StandardisedMembers,
    nn.Embedding: _EmbeddingMembers,
    nn.Linear: _LinearMembers,
}


def join_members(networks: Sequence[nn.Module]) -> nn.Module:
    """Return a module that runs networks of one kind, each over its block of rows of a batch; the blocks are equal.

    It shares the networks' parameters, and is for training: its own layers, such as dropout, are in that mode.

    Raises
    ------
    TypeError
        If a module has parameters or buffers, and no joined form.
    """
    first = networks[0]
    kind = type(first)
    if kind in _JOINED:
        return _JOINED[kind](networks)
    if first._parameters or first._buffers:
        raise TypeError(f"{kind.__name__} has no form that joins several networks.")
    joined = copy.copy(first)
    joined.training = True
    joined._modules = {
        name: None if child is None else join_members([network.get_submodule(name) for network in networks])
        for name, child in first._modules.items()
    }
    return joined
