"""The engine ``c``: compiles a step's program to two time loops in C and calls them.

``_forward_loop`` and ``_backward_loop`` write the loops and ``_stages`` the body of a step, on top of ``_preamble``;
``_moves`` moves columns. ``_objects`` compiles the file with the compiler that ``_toolchain`` finds, caches it on disk
and loads it; ``_compiled_kernel`` calls it. ``_c_program`` runs a batch through both loops, ``_gradients`` assembles
the gradients of the parameters, ``_differentiable`` wraps it in a `torch.autograd.Function`, and ``_c_engine`` offers
it to `Recurrent`.
"""

from seqpipe.recurrence.compiler.c._c_engine import CompiledEngine

__all__ = [
    "CompiledEngine",
]
