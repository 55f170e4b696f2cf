"""A cell's step, traced, planned and compiled.

``_trace`` records one step, forward and backward. ``_plan`` turns the record into atoms: column blocks without views or
slices (``_atoms``). ``_schedule`` orders them in stages and decides what forward keeps. ``_emit`` writes the time loops as C
on top of ``_preamble``; ``_objects`` compiles, keeps and loads it with the compiler that ``_toolchain`` finds. ``_native``
calls it, ``_function`` makes it differentiable, ``_compare`` checks it, ``_engine`` offers it to `Recurrent`.
"""

from seqpipe.recurrence.compiler._engine import CompiledEngine

__all__ = ["CompiledEngine"]
