"""What a recorded step means: column blocks, in an order in which loops can compute them.

``_planner`` walks through the record and asks one rule per operation (``_elementwise_rules``, ``_shape_rules``,
``_sum_rules``; ``_complex`` and ``_decompositions`` take operations apart) for the ``_rows`` of atoms that it stands
for. ``_atoms`` are column blocks without views or slices. ``_step_program`` holds the result: atoms for the loops,
calls of torch around them (``_free_values``). ``_schedule`` orders atoms in stages, ``_layout`` decides what forward
keeps for backward.
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
