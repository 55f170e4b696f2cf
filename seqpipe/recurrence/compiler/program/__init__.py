"""The analysis of a traced step: blocks of columns, in an order in which loops can compute them.

``_planner`` traverses the trace and translates each operation into ``_rows`` of atoms by a rule (``_elementwise_rules``,
``_shape_rules``, ``_sum_rules``); operations without a rule are decomposed (``_decompositions``, ``_complex``).
``_atoms`` are blocks of columns without views or slices. ``_step_program`` holds the result: atoms for the loops, and
torch calls before and after them (``_free_values``). ``_schedule`` orders atoms in stages, ``_layout`` determines what
the forward pass stores for the backward pass.
"""

from seqpipe.recurrence.compiler.program._atoms import (
    Atom,
    Const,
    Elementwise,
    Fold,
    Input,
    Matrix,
    Product,
    RowSum,
    Select,
    Vector,
    arguments,
    copy,
    elementwise,
    is_across,
    product,
)
from seqpipe.recurrence.compiler.program._free_values import Bound, FreeValues
from seqpipe.recurrence.compiler.program._layout import Layout, Target, layout_of
from seqpipe.recurrence.compiler.program._operations import compiled_operations
from seqpipe.recurrence.compiler.program._plan_step import plan_step
from seqpipe.recurrence.compiler.program._schedule import (
    LoopSum,
    Stage,
    atoms_in_order,
    atoms_of,
    merge_products,
    rebuild,
    schedule,
    with_arguments,
)
from seqpipe.recurrence.compiler.program._step_program import StepProgram, run_free_calls

__all__ = [
    "Atom",
    "Bound",
    "Const",
    "Elementwise",
    "Fold",
    "FreeValues",
    "Input",
    "Layout",
    "LoopSum",
    "Matrix",
    "Product",
    "RowSum",
    "Select",
    "Stage",
    "StepProgram",
    "Target",
    "Vector",
    "arguments",
    "atoms_in_order",
    "atoms_of",
    "compiled_operations",
    "copy",
    "elementwise",
    "is_across",
    "layout_of",
    "merge_products",
    "plan_step",
    "product",
    "rebuild",
    "run_free_calls",
    "schedule",
    "with_arguments",
]
