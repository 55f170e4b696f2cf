"""Tracing of a cell's step: every torch operation that it calls, forward and backward.

``_trace`` takes one step of a copy of the cell on zeros and differentiates it; a batch size that differs from every
size of the cell identifies the batch dimension. ``_recorder`` records each operation as a node (``_nodes``).
``_recipes`` excludes functions that torch has to compute and differentiate itself, such as matrix decompositions of
weights.
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
