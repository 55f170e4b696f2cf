"""A cell's step, recorded once and run as generated code.

``trace`` records the step; ``program`` finds out what it means. ``c`` and ``triton`` write that as C and as Triton
kernels; ``eager`` runs the record as calls of torch, which ``cudagraph`` records for a GPU. Each offers an engine. They
share ``_planned_engine`` (a plan per kind of cell, compared with the plain loop at first use), ``_state_numbers``
(states that are not real numbers) and ``_second_derivative``.
"""

from seqpipe.recurrence.compiler.c import CompiledEngine
from seqpipe.recurrence.compiler.cudagraph import GraphEngine
from seqpipe.recurrence.compiler.eager import TorchEngine
from seqpipe.recurrence.compiler.triton import TritonEngine

__all__ = [
    "CompiledEngine",
    "GraphEngine",
    "TorchEngine",
    "TritonEngine",
]
