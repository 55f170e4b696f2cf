"""The engine ``torch``: a step's graph as two time loops of calls of torch.

``_graph`` makes one graph of two records, with the number of rows left open, and ``_samples`` finds out by trial that
it treats each sample by itself. ``_rewrite``, ``_carry`` and ``_factors`` take work out of the loops; ``_phases`` tells
what is computed for all steps at once from what is looped. ``_memory_plan`` finds memory for each value,
``_python_loop`` writes the loops, ``_columns`` lays the memory out over a batch's ``_packing``, and ``_workload``
decides on threads. ``_eager_program`` runs it all, ``_torch_engine`` offers it.
"""

from seqpipe.recurrence.compiler.eager._eager_program import EagerProgram, Passed, run_eagerly
from seqpipe.recurrence.compiler.eager._packing import Packing
from seqpipe.recurrence.compiler.eager._torch_engine import TorchEngine

__all__ = [
    "EagerProgram",
    "Packing",
    "Passed",
    "TorchEngine",
    "run_eagerly",
]
