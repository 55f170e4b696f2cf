"""Planning of a step: from its trace to a program of atoms."""

from __future__ import annotations

from contextlib import suppress

from seqpipe.cells import Cell
from seqpipe.recurrence.compiler.program import _elementwise_rules, _shape_rules, _sum_rules
from seqpipe.recurrence.compiler.program._planner import Planner
from seqpipe.recurrence.compiler.program._step_program import StepProgram
from seqpipe.recurrence.compiler.trace import Trace, Unplannable, projects_steps_apart, trace_step

__all__ = ["make_program", "plan_step"]

_RULES = {**_elementwise_rules.RULES, **_shape_rules.RULES, **_sum_rules.RULES}


def plan_step(cell: Cell, *, input_grad: bool, parameter_grads: tuple[bool, ...]) -> StepProgram:
    """Plan a step of a cell, including `project` if that can be planned.

    Raises
    ------
    Unplannable
        If an operation of the step mixes samples or is not supported.
    """
    if type(cell).project is Cell.project:
        return make_program(trace_step(cell, input_grad=input_grad, parameter_grads=parameter_grads))
    if projects_steps_apart(cell):
        with suppress(Unplannable):
            return make_program(trace_step(cell, input_grad=input_grad, parameter_grads=parameter_grads))
    input_grad = input_grad or any(parameter_grads)  # needed for the gradients of project's parameters
    return make_program(trace_step(cell, input_grad=input_grad, parameter_grads=parameter_grads, projected=True))


def make_program(trace: Trace) -> StepProgram:
    """Plan a traced step.

    Raises
    ------
    Unplannable
        If an operation mixes samples or is not supported.
    """
    return Planner(trace, _RULES).run()
