"""The engines: one interface for every way of running a cell along time, and the choice among them.

``_engine`` defines the interface. ``_catalogue`` lists the engines in order of priority; ``_choice`` selects the first
that does not refuse the cell and, by ``_sizes`` and ``_measured``, is not slower than torch's kernel. Before its first
use an engine is compared with the plain loop (``_trial``, ``_trust``). ``_thread_policy`` defines the amount of work
from which ``_threads`` are used. ``_loop``, ``_unrolled``, ``_fused`` and ``_scan`` (with ``_linear``) are engines
without a compiler.
"""

from seqpipe.recurrence.engines._catalogue import ENGINE_OF_UNROLL
from seqpipe.recurrence.engines._choice import check_engine, choose_engine, engine_or_unroll, warn_of_unroll
from seqpipe.recurrence.engines._clock import compile_seconds, compiling
from seqpipe.recurrence.engines._engine import Choice, Engine, MembersEngine
from seqpipe.recurrence.engines._fused import FusedEngine
from seqpipe.recurrence.engines._loop import LoopEngine, fall_back, hold, take_reason
from seqpipe.recurrence.engines._scan import ScanEngine
from seqpipe.recurrence.engines._sizes import Sizes
from seqpipe.recurrence.engines._thread_policy import POLICY, Pace, ThreadPolicy
from seqpipe.recurrence.engines._threads import allowed_threads, n_threads, openmp, run_in_threads
from seqpipe.recurrence.engines._trial import find_fault
from seqpipe.recurrence.engines._unrolled import UnrolledEngine

__all__ = [
    "Choice",
    "ENGINE_OF_UNROLL",
    "Engine",
    "MembersEngine",
    "FusedEngine",
    "LoopEngine",
    "POLICY",
    "Pace",
    "ScanEngine",
    "Sizes",
    "ThreadPolicy",
    "UnrolledEngine",
    "allowed_threads",
    "check_engine",
    "choose_engine",
    "compile_seconds",
    "compiling",
    "engine_or_unroll",
    "fall_back",
    "find_fault",
    "hold",
    "n_threads",
    "openmp",
    "run_in_threads",
    "take_reason",
    "warn_of_unroll",
]
