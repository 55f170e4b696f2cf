"""The engine ``torch``: runs a step's graph as two time loops of torch calls.

``_graph`` builds one graph with a symbolic batch size from two traces, and ``_samples`` checks numerically that samples
are independent. ``_rewrite``, ``_carry`` and ``_factors`` move work out of the loops; ``_phases`` separates what is
computed for all steps at once from what is looped. ``_memory_plan`` assigns memory to each value, ``_python_loop``
writes the loops, ``_columns`` allocates the memory for a batch's ``_packing``, and ``_workload`` sets the number of
threads. ``_eager_program`` runs the whole program, and ``_torch_engine`` offers it to `Recurrent`.
"""

from seqpipe.recurrence.compiler.eager._eager_program import EagerProgram, ForwardRun, run_eagerly
from seqpipe.recurrence.compiler.eager._packing import Packing
from seqpipe.recurrence.compiler.eager._torch_engine import TorchEngine

__all__ = [
    "EagerProgram",
    "ForwardRun",
    "Packing",
    "TorchEngine",
    "run_eagerly",
]
