"""The engine ``triton``: a step's program as two kernels for a GPU, each taking a block of samples through all steps.

``_ahead`` and ``_division`` take the program apart into what torch computes for all steps at once (``_all_steps``,
``_summing``) and what is left for the loops, which ``_limits`` may refuse. ``_tiles`` and ``_kernels`` write these as
text, on top of ``_functions``; ``_loading`` makes functions of it. ``_triton_program`` launches them, ``_triton_run``
takes a batch through them, and ``_triton_engine`` offers it to `Recurrent`.
"""

from seqpipe.recurrence.compiler.triton._triton_engine import TritonEngine

__all__ = [
    "TritonEngine",
]
