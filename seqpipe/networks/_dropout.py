"""Dropout whose mask does not depend on how its input is laid out in memory."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["Dropout"]


class Dropout(nn.Dropout):
    """Dropout of outputs of recurrent layers.

    torch draws masks in the order of memory. Engines lay out their outputs differently, some by time steps first: the
    same random numbers would drop other features with each of them.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map x to the same shape; in training, features are dropped."""
        return super().forward(x.contiguous()) if self.training and self.p else x
