"""Wrappers that add dropout, normalisation, shortcuts or attention to any cell, in any order."""

from seqpipe.recurrence.wrappers._attention import Attention
from seqpipe.recurrence.wrappers._dropout import Dropout
from seqpipe.recurrence.wrappers._layer_norm import LayerNorm
from seqpipe.recurrence.wrappers._projection import Projection
from seqpipe.recurrence.wrappers._residual import Residual
from seqpipe.recurrence.wrappers._wrap import check_wrappers, wrap
from seqpipe.recurrence.wrappers._wrapper import Wrapper, innermost
from seqpipe.recurrence.wrappers._zoneout import Zoneout

__all__ = [
    "Attention",
    "Dropout",
    "LayerNorm",
    "Projection",
    "Residual",
    "Wrapper",
    "Zoneout",
    "check_wrappers",
    "innermost",
    "wrap",
]
