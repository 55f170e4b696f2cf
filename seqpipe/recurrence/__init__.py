"""Run any cell along time, by engines that share one interface."""

from seqpipe.recurrence._check import check_initial_state, check_step
from seqpipe.recurrence._generators import forked_generators, random_state
from seqpipe.recurrence._members import RecurrentMembers
from seqpipe.recurrence._record import RecordedRun, recorded_states
from seqpipe.recurrence._recurrent import Recurrent
from seqpipe.recurrence._states import map_state, stack_states, state_tensors
from seqpipe.recurrence._steps import ValidSteps, check_lengths
from seqpipe.recurrence.compiler import CompiledEngine, GraphEngine, TorchEngine, TritonEngine, compiled_operations
from seqpipe.recurrence.contents import copied
from seqpipe.recurrence.engines import (
    POLICY,
    Choice,
    Engine,
    FusedEngine,
    LoopEngine,
    ScanEngine,
    UnrolledEngine,
    allowed_threads,
    check_engine,
    compile_seconds,
    engine_or_unroll,
    warn_of_unroll,
)

__all__ = [
    "Choice",
    "CompiledEngine",
    "Engine",
    "FusedEngine",
    "GraphEngine",
    "LoopEngine",
    "POLICY",
    "RecordedRun",
    "Recurrent",
    "RecurrentMembers",
    "ScanEngine",
    "TorchEngine",
    "TritonEngine",
    "UnrolledEngine",
    "ValidSteps",
    "allowed_threads",
    "check_engine",
    "check_initial_state",
    "check_lengths",
    "check_step",
    "compile_seconds",
    "compiled_operations",
    "copied",
    "engine_or_unroll",
    "forked_generators",
    "map_state",
    "random_state",
    "recorded_states",
    "stack_states",
    "state_tensors",
    "warn_of_unroll",
]
