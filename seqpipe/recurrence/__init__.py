"""Running any cell along time; the engines that do it stand behind one interface."""

from seqpipe.recurrence._check import check_initial_state, check_step
from seqpipe.recurrence._clock import compile_seconds
from seqpipe.recurrence._copies import copied
from seqpipe.recurrence._engine import Choice, Engine
from seqpipe.recurrence._fused import FusedEngine
from seqpipe.recurrence._generators import forked_generators
from seqpipe.recurrence._loop import LoopEngine
from seqpipe.recurrence._record import RecordedRun, recorded_states
from seqpipe.recurrence._recurrent import Recurrent
from seqpipe.recurrence._scan import ScanEngine
from seqpipe.recurrence._states import map_state, stack_states, state_tensors
from seqpipe.recurrence._steps import ValidSteps, check_lengths
from seqpipe.recurrence._threads import allowed_threads
from seqpipe.recurrence.compiler import CompiledEngine, GraphEngine, TorchEngine, TritonEngine

__all__ = [
    "Choice",
    "CompiledEngine",
    "Engine",
    "FusedEngine",
    "GraphEngine",
    "LoopEngine",
    "RecordedRun",
    "Recurrent",
    "ScanEngine",
    "TorchEngine",
    "TritonEngine",
    "ValidSteps",
    "allowed_threads",
    "check_initial_state",
    "check_lengths",
    "check_step",
    "compile_seconds",
    "copied",
    "forked_generators",
    "map_state",
    "recorded_states",
    "stack_states",
    "state_tensors",
]
