"""An adapter for each cell of torchrecurrent, of the same name."""

from __future__ import annotations

import torchrecurrent

from seqpipe_torchrecurrent._adapter import TorchRecurrentCell
from seqpipe_torchrecurrent._delayed import tauGRUCell

__all__ = ["CELLS"]


def _adapter_of(name: str) -> type[TorchRecurrentCell]:
    """Return the adapter of a class of torchrecurrent; pickle finds it in this module, by the same name."""
    if name == "tauGRUCell":
        return tauGRUCell
    described = {"__doc__": f"`{name}` of torchrecurrent.", "__module__": __name__}
    return type(name, (TorchRecurrentCell,), {**described, "adapted": getattr(torchrecurrent, name)})


CELLS = {name: _adapter_of(name) for name in torchrecurrent.__all__ if name.endswith("Cell")}
globals().update(CELLS)
