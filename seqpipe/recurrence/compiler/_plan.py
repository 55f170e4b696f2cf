"""From the trace of a step to a program of atoms: what the loops compute, and what torch computes before and after."""

from __future__ import annotations

from seqpipe.recurrence.compiler import _elementwise_rules, _shape_rules, _sum_rules
from seqpipe.recurrence.compiler._planner import Planner
from seqpipe.recurrence.compiler._program import Program
from seqpipe.recurrence.compiler._trace import Trace

__all__ = ["make_program"]

_RULES = {**_elementwise_rules.RULES, **_shape_rules.RULES, **_sum_rules.RULES}


def make_program(trace: Trace) -> Program:
    """Plan a traced step.

    Raises
    ------
    Unplannable
        If an operation mixes samples, or is unknown.
    """
    return Planner(trace, _RULES).run()
