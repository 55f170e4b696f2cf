"""A step of a cell, recorded: every operation of torch that it calls, forward and backward.

``_trace`` takes one step of a copy of the cell on zeros and walks back through it; a batch size that is no other size
of the cell tells the batch from every other dimension. Meanwhile ``_recorder`` writes each operation down as one of the
``_nodes``. ``_recipes`` keeps what torch has to compute and differentiate itself, decompositions of weights and the
like, out of the record.
"""

from seqpipe.recurrence.compiler.trace._nodes import Call, Node, Trace, Unplannable, map_nodes, nodes_in
from seqpipe.recurrence.compiler.trace._recipes import Recipes
from seqpipe.recurrence.compiler.trace._recorder import IN_DERIVATIVE, record
from seqpipe.recurrence.compiler.trace._trace import (
    batch_size_for,
    calls_of,
    projects_steps_apart,
    same_calls,
    trace_step,
)

__all__ = [
    "Call",
    "IN_DERIVATIVE",
    "Node",
    "Recipes",
    "Trace",
    "Unplannable",
    "batch_size_for",
    "calls_of",
    "map_nodes",
    "nodes_in",
    "projects_steps_apart",
    "record",
    "same_calls",
    "trace_step",
]
