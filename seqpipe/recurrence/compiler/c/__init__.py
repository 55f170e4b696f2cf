"""The engine ``c``: a step's program as two time loops in C, compiled and called.

``_emit`` writes the loops and ``_stages`` what a step does in them, on top of ``_preamble``; ``_moves`` moves columns.
``_objects`` compiles the file with the compiler that ``_toolchain`` finds, keeps it on disk and loads it;
``_compiled_kernel`` calls it. ``_c_program`` runs a batch through both loops, ``_gradients`` puts the gradients of the
parameters together, ``_differentiable`` makes it a function that torch can differentiate, and ``_c_engine`` offers it
to `Recurrent`.
"""

from seqpipe.recurrence.compiler.c._c_engine import CompiledEngine

__all__ = [
    "CompiledEngine",
]
