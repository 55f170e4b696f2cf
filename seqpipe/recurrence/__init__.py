"""Running any cell along time; the engines that do it stand behind one interface."""

from seqpipe.recurrence._check import check_step
from seqpipe.recurrence._engine import Choice, Engine
from seqpipe.recurrence._recurrent import Recurrent
from seqpipe.recurrence._steps import ValidSteps, check_lengths
from seqpipe.recurrence._threads import allowed_threads

__all__ = ["Choice", "Engine", "Recurrent", "ValidSteps", "allowed_threads", "check_lengths", "check_step"]
