"""The compiler: a cell's step is traced once and run as generated code.

``trace`` records the operations of the step and ``program`` analyses them. ``c`` and ``triton`` generate C and Triton
kernels from the result; ``eager`` runs the trace as torch calls, which ``cudagraph`` captures on a GPU. Each defines an
engine. They share ``_planned_engine`` (one plan per kind of cell, compared with the plain loop at first use),
``_state_numbers`` (integer and complex states) and ``_second_derivative``.
"""

from seqpipe.recurrence.compiler.c import CompiledEngine
from seqpipe.recurrence.compiler.cudagraph import GraphEngine
from seqpipe.recurrence.compiler.eager import TorchEngine
from seqpipe.recurrence.compiler.program import compiled_operations
from seqpipe.recurrence.compiler.triton import TritonEngine

__all__ = [
    "CompiledEngine",
    "GraphEngine",
    "TorchEngine",
    "TritonEngine",
    "compiled_operations",
]
