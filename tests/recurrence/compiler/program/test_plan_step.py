"""Tracing, planning and scheduling of a step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqpipe.cells import Cell, GRUCell, LSTMCell, RNNCell
from seqpipe.recurrence.compiler.program._atoms import (
    COSTLY,
    Atom,
    ColumnSum,
    Const,
    Elementwise,
    Input,
    Matrix,
    OuterSum,
    Product,
    RowSum,
    Vector,
    arguments,
    elementwise,
    product,
    row_sum,
    split,
)  # fmt: skip
from seqpipe.recurrence.compiler.program._layout import Target, layout_of
from seqpipe.recurrence.compiler.program._plan_step import make_program
from seqpipe.recurrence.compiler.program._schedule import kept_atoms, merge_products, schedule
from seqpipe.recurrence.compiler.program._step_program import StepProgram
from seqpipe.recurrence.compiler.trace import Unplannable, trace_step

X, H, GRAD = Input("x", 0, 0, 6), Input("state", 0, 0, 6), Input("output_grad", 0, 0, 6)
TARGET = Target(double=False, vector_bytes=32, registers=16)


class Stepping(Cell):
    """A cell with one weight whose step the test defines."""

    def __init__(self, function: Any) -> None:
        super().__init__(6, 6)
        self.linear = nn.Linear(6, 6, bias=False)
        self.function = function

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = self.function(self.linear(x_t), h)
        return h, h


def planned(cell: Cell) -> StepProgram:
    trace = trace_step(cell, input_grad=True, parameter_grads=(True,) * len(list(cell.parameters())))
    return merge_products(make_program(trace))


def below(atoms: Any) -> Iterator[Atom]:
    """Yield atoms and everything they are computed from, each once."""
    seen: set[Atom] = set()
    stack = list(atoms)
    while stack:
        atom = stack.pop()
        if atom not in seen:
            seen.add(atom)
            stack += arguments(atom)
            yield atom


def calls(op: str, atoms: Any) -> list[Elementwise]:
    return [a for a in below(atoms) if isinstance(a, Elementwise) and a.op == op]


def costly(atom: Atom) -> bool:
    return isinstance(atom, (Product, RowSum)) or (isinstance(atom, Elementwise) and atom.op in COSTLY)


def sources(found: Product) -> set[str]:
    return {a.source for a, _ in found.terms if isinstance(a, Input)}


def test_equal_atoms_are_one_object() -> None:
    assert elementwise("tanh", (H,), 6) is elementwise("tanh", (H,), 6)
    assert product(((H, Matrix(0, 0, 0)),), 4) is product(((H, Matrix(0, 0, 0)),), 4)
    assert row_sum((H,)) is row_sum((H,))
    assert elementwise("tanh", (H,), 6) is not elementwise("tanh", (X,), 6)


def test_a_slice_of_a_product_is_a_product_with_a_slice_of_the_matrix() -> None:
    assert split(product(((H, Matrix(3, 1, 4)),), 6), 2, 3) is product(((H, Matrix(3, 1, 6)),), 3)


def test_a_slice_goes_through_operations_to_inputs_and_vectors_but_leaves_single_columns() -> None:
    total, bias = row_sum((H,)), Vector(1, 0, 6)
    atom = elementwise("mul", (elementwise("add", (H, bias), 6), total), 6)
    part = elementwise("add", (Input("state", 0, 2, 3), Vector(1, 2, 3)), 3)
    assert split(atom, 2, 3) is elementwise("mul", (part, total), 3)


@pytest.mark.parametrize(
    ("op", "args", "expected"),
    [
        ("add", (H, Const(0.0, 6)), H),
        ("add", (Const(0.0, 6), H), H),
        ("sub", (H, Const(0.0, 6)), H),
        ("mul", (H, Const(1.0, 6)), H),
        ("div", (H, Const(1.0, 6)), H),
        ("mul", (H, Const(0.0, 6)), Const(0.0, 6)),
        ("neg", (Const(2.0, 6),), Const(-2.0, 6)),
    ],
)
def test_what_changes_nothing_is_left_out(op: str, args: tuple[Atom, ...], expected: Atom) -> None:
    assert elementwise(op, args, 6) == expected


def test_what_is_broadcast_is_not_left_out() -> None:
    total = row_sum((H,))
    atom = elementwise("add", (total, Const(0.0, 6)), 6)
    assert atom != total
    assert atom.width == 6


def test_a_grus_gates_add_up_in_one_accumulator_each() -> None:
    program = planned(GRUCell(3, 5))
    gates = calls("sigmoid", program.output)
    assert len(gates) == 2
    for gate in gates:
        (found,) = [a for a in below([gate]) if isinstance(a, Product)]
        assert sources(found) == {"x", "state"}


def test_a_grus_candidate_keeps_apart_what_the_reset_gate_scales() -> None:
    (candidate,) = calls("tanh", planned(GRUCell(3, 5)).output)
    single = [a for a in below([candidate]) if isinstance(a, Product) and len(a.terms) == 1]
    assert sorted(map(sorted, map(sources, single))) == [["state"], ["x"]]


def test_views_leave_nothing_behind() -> None:
    def turn(x: Tensor, h: Tensor) -> Tensor:
        a, b = h.chunk(2, dim=-1)
        return torch.cat([b, a], dim=-1).view(-1, 2, 3).reshape(-1, 6)

    assert planned(Stepping(turn)).output == (Input("state", 0, 3, 3), Input("state", 0, 0, 3))


def test_backward_is_made_of_what_forward_computed() -> None:
    program = planned(LSTMCell(3, 5))
    forward = set(below([*program.output, *(a for s in program.new_states for a in s)]))
    back = list(below([a for s in program.state_grads for a in s]))
    assert set(calls("sigmoid", back)) <= forward
    assert set(calls("tanh", back)) <= forward
    assert not [a for a in back if isinstance(a, Product) and "x" in sources(a) and a not in forward]


@pytest.mark.parametrize("cell", [GRUCell(3, 5), LSTMCell(3, 5), RNNCell(3, 5)], ids=repr)
def test_only_what_is_costly_or_ends_a_product_is_kept(cell: Cell) -> None:
    kept = layout_of(planned(cell), TARGET).kept
    assert all(costly(a) or any(costly(b) and b not in kept for b in arguments(a)) for a in kept)


def test_a_grus_gates_are_kept_and_what_follows_from_them_is_computed_again() -> None:
    program = planned(GRUCell(3, 5))
    kept = layout_of(program, TARGET).kept
    assert set(calls("sigmoid", program.output)) < set(kept)
    assert not set(calls("sub", program.output)) & set(kept)


def test_a_plain_rnn_keeps_nothing_but_its_states() -> None:
    layout = layout_of(planned(RNNCell(3, 5)), TARGET)
    assert (layout.kept, layout.kept_width, layout.output_state) == ({}, 0, 0)


def test_cheap_is_computed_again_costly_is_kept() -> None:
    one, other = elementwise("sub", (Const(1.0, 6), H), 6), elementwise("tanh", (X,), 6)
    goals = [elementwise("mul", (GRAD, one), 6), elementwise("mul", (GRAD, other), 6)]
    assert kept_atoms(goals, lambda a: isinstance(a, Input)) == (other,)


def test_a_product_waits_for_the_stage_of_what_it_reads() -> None:
    inner = elementwise("tanh", (H,), 6)
    outer = elementwise("neg", (product(((inner, Matrix(0, 0, 0)),), 6),), 6)
    stages = schedule([outer], lambda a: isinstance(a, Input))
    assert [[type(a).__name__ for a in stage.atoms] for stage in stages] == [
        ["Elementwise"],
        ["Product", "Elementwise"],
    ]
    assert [(stage.level, stage.width) for stage in stages] == [(0, 6), (1, 6)]


def test_atoms_of_other_widths_have_stages_of_their_own() -> None:
    wide, narrow = elementwise("tanh", (H,), 6), elementwise("tanh", (Input("state", 0, 0, 2),), 2)
    assert [stage.width for stage in schedule([wide, narrow], lambda a: isinstance(a, Input))] == [2, 6]


def test_one_sum_over_rows_serves_two_biases() -> None:
    class Twice(Stepping):
        def __init__(self) -> None:
            super().__init__(None)
            self.one, self.other = nn.Parameter(torch.zeros(6)), nn.Parameter(torch.zeros(6))

        def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
            h = torch.tanh(self.linear(x_t) + self.one + self.other)
            return h, h

    reductions = planned(Twice()).reductions
    assert [type(r) for r in reductions].count(ColumnSum) == 1
    assert [type(r) for r in reductions].count(OuterSum) == 1


def test_products_that_others_need_too_are_not_merged() -> None:
    cell = Stepping(lambda x, h: torch.tanh(x + h) * x)
    assert all(len(a.terms) == 1 for a in below(planned(cell).output) if isinstance(a, Product))


def test_the_batch_of_the_trial_step_is_told_from_all_sizes() -> None:
    assert trace_step(GRUCell(7, 11), input_grad=True, parameter_grads=(True,) * 4).batch_size == 13


def test_the_trial_step_leaves_the_cell_and_the_generator_alone() -> None:
    cell = GRUCell(3, 5)
    before, generator = {k: v.clone() for k, v in cell.state_dict().items()}, torch.get_rng_state()
    planned(cell)
    assert all(torch.equal(before[k], v) for k, v in cell.state_dict().items())
    assert all(p.grad is None for p in cell.parameters())
    assert torch.equal(torch.get_rng_state(), generator)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x, h: h + x.sum(), "aten.add.Tensor mixes samples"),
        (lambda x, h: h.flip(0) + x, "aten.flip.default moves the rows of the batch"),
        (lambda x, h: torch.erfinv(h) + x, "aten.erfinv.default is not supported"),
        (lambda x, h: torch.softmax(h, 0) + x, "softmax"),
        (lambda x, h: torch.tanh(h @ x.t() @ x), "multiplies samples by samples"),
        (lambda x, h: h + x if bool((h > 0).any()) else x, "needs the value of a tensor"),
    ],
)
def test_a_step_that_cannot_be_planned_is_refused_with_the_line(function: Any, words: str) -> None:
    with pytest.raises(Unplannable, match=rf"{words}.* at .*test_plan_step\.py:\d+"):
        planned(Stepping(function))
