"""A cell's step, traced, planned and compiled.

``_trace`` records one step, forward and backward. ``_plan`` turns the record into atoms: column blocks without views or
slices (``_atoms``). ``_schedule`` orders them in stages and decides what forward keeps. ``_emit`` writes the time loops as C
on top of ``_preamble``; ``_objects`` compiles, keeps and loads it with the compiler that ``_toolchain`` finds. ``_native``
calls it, ``_function`` makes it differentiable, ``_engine`` offers it to `Recurrent`.

Without C, ``_graph`` makes one graph of two traces, with the number of rows left open. ``_samples`` finds out by trial that it
treats each sample by itself, ``_rewrite`` takes work out of its loops, ``_factors`` makes of the way back as few products as it
can be, and ``_parts`` tells what is computed for all steps at once from what is looped. ``_places`` finds memory for each value,
``_pyloop`` writes the loops, ``_columns`` lays the memory out, ``_packing`` a batch's valid steps, ``_workload`` decides on
threads. ``_eager`` runs it all, ``_torch_engine`` offers it. ``_planned`` is what both engines share.
"""

from seqpipe.recurrence.compiler._engine import CompiledEngine
from seqpipe.recurrence.compiler._torch_engine import TorchEngine
from seqpipe.recurrence.compiler.gpu import GraphEngine, TritonEngine

__all__ = ["CompiledEngine", "GraphEngine", "TorchEngine", "TritonEngine"]
