"""A cell's step on a GPU: as Triton kernels, and as a CUDA graph.

As Triton kernels: ``_ahead`` and ``_division`` take the program apart into what torch computes for all steps at once
(``_all_steps``, ``_summing``) and what is left for the loops, which ``_limits`` may refuse. ``_tiles`` and ``_kernels`` write
these as text, on top of ``_functions``; ``_loading`` makes functions of it. ``_triton_program`` launches them, ``_triton_run``
takes a batch through them, ``_triton_engine`` offers it to `Recurrent`.

As a CUDA graph: ``_recording`` records calls of torch, ``_captured`` those of a batch's way forward and back through the
plan that engine ``torch`` runs, with the lengths as numbers (``_masked``). ``_graph_program`` keeps the recordings,
``_graph_engine`` offers them.
"""

from seqpipe.recurrence.compiler.gpu._graph_engine import GraphEngine
from seqpipe.recurrence.compiler.gpu._triton_engine import TritonEngine

__all__ = ["GraphEngine", "TritonEngine"]
