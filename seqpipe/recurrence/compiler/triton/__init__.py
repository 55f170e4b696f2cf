"""The engine ``triton``: a step's program as two GPU kernels, each of which runs a block of samples over all steps.

``_ahead`` and ``_division`` split the program into a part that torch computes for all steps at once (``_all_steps``,
``_summing``) and the loops, whose size ``_limits`` checks. ``_tiles`` and ``_kernels`` write the loops as source, on
top of ``_functions``; ``_loading`` loads it. ``_triton_program`` launches the kernels, ``_triton_run`` runs a batch,
and ``_triton_engine`` offers it to `Recurrent`.
"""

from seqpipe.recurrence.compiler.triton._triton_engine import TritonEngine

__all__ = [
    "TritonEngine",
]
