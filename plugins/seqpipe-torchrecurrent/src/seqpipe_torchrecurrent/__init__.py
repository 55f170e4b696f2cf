"""The cells of torchrecurrent as cells for seqpipe: a class each, of the same name."""

from __future__ import annotations

import torchrecurrent

import seqpipe
from seqpipe_torchrecurrent._adapter import TorchRecurrentCell
from seqpipe_torchrecurrent._delayed import tauGRUCell


def _adapter_of(name: str) -> type[TorchRecurrentCell]:
    """Return the adapter of a class of torchrecurrent; pickle finds it in this module, by the same name."""
    if name == "tauGRUCell":
        return tauGRUCell
    described = {"__doc__": f"`{name}` of torchrecurrent.", "__module__": __name__}
    return type(name, (TorchRecurrentCell,), {**described, "adapted": getattr(torchrecurrent, name)})


_CELLS = {name: _adapter_of(name) for name in torchrecurrent.__all__ if name.endswith("Cell")}
globals().update(_CELLS)

__all__ = ["TorchRecurrentCell", "seqpipe_cells", *sorted(_CELLS)]

SEQPIPE_API = 1


@seqpipe.hookimpl
def seqpipe_cells() -> list[seqpipe.CellSpec]:
    """Offer the cells, as "torchrecurrent_" and the name of the class in lower case, without "Cell"."""
    return [
        seqpipe.CellSpec(f"torchrecurrent_{name.removesuffix('Cell').lower()}", cell, summary=f"torchrecurrent.{name}")
        for name, cell in _CELLS.items()
    ]
