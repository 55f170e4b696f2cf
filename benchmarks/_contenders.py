"""Cells that are compared with about the same number of parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from _matched import matched_size
from seqpipe_delta import DeltaNetCell
from torch import Tensor

from seqpipe import Cell
from seqpipe.plugins import host

__all__ = ["CONTENDERS", "EMBEDDING", "Contender", "NegativeDeltaNet"]

#: Size of the embedding of symbols.
EMBEDDING = 16


class NegativeDeltaNet(DeltaNetCell):
    """A DeltaNet with β in (0, 2), so that the eigenvalues of its transition are in (-1, 1] (Grazzi et al., 2025)."""

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to q, k, v and β, with twice the β of DeltaNet."""
        wide, beta = super().project(x).split([3 * self.hidden_size, self.num_heads], dim=-1)
        return torch.cat([wide, 2 * beta], dim=-1)


@dataclass(frozen=True)
class Contender:
    """A cell, a registered name or a class, and its number of heads if it has a matrix per head."""

    name: str
    cell: str | type[Cell]
    num_heads: int | None = None

    @property
    def cell_params(self) -> dict[str, Any] | None:
        """Additional arguments of the cell."""
        return None if self.num_heads is None else {"num_heads": self.num_heads}

    def hidden_size(self, n_parameters: int, n_outputs: int, num_layers: int = 1) -> int:
        """Return the hidden size with the number of parameters nearest to ``n_parameters``."""
        return matched_size(
            lambda size: self.n_parameters(size, n_outputs, num_layers), n_parameters, self.num_heads or 1
        )

    def n_parameters(self, hidden_size: int, n_outputs: int, num_layers: int = 1) -> int:
        """Return the number of parameters of the recurrent layers and of the output layer."""
        cells = [self._factory()(EMBEDDING, hidden_size, **(self.cell_params or {}))]
        while len(cells) < num_layers:
            cells.append(cells[-1].sibling(cells[-1].output_size))
        of_cells = sum(p.numel() for cell in cells for p in cell.parameters())
        return of_cells + n_outputs * (cells[-1].output_size + 1)

    def _factory(self) -> Any:
        if isinstance(self.cell, str):
            return host().find("cell", self.cell, parameter="The 'cell' parameter").spec.factory
        return self.cell


CONTENDERS = (
    *(Contender(name, name) for name in ("rnn", "lstm", "gru", "slstm", "min_gru", "min_lstm", "rg_lru", "lru", "s5")),
    Contender("mlstm", "mlstm", num_heads=4),
    Contender("delta_net", "delta_net", num_heads=4),
    Contender("delta_net with β < 2", NegativeDeltaNet, num_heads=4),
)
