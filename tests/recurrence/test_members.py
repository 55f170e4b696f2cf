"""The recurrent layers of several networks, run together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from seqpipe import Cell, Recurrent
from seqpipe.cells import GRUCell, LSTMCell
from seqpipe.recurrence import CompiledEngine, RecurrentMembers
from seqpipe.recurrence.compiler.c._compiled_kernel import Parts


class Turning(Cell):
    """A cell with a complex state, a projection of its input and a matrix that torch computes once per run."""

    projects_input = True

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.angle = nn.Parameter(torch.rand(hidden_size))
        self.enter = nn.Linear(input_size, hidden_size)
        self.mix = nn.Parameter(torch.rand(hidden_size, hidden_size) / hidden_size)

    def initial_state(self, batch_size: int) -> Tensor:
        return torch.zeros(batch_size, self.hidden_size, dtype=torch.complex128)

    def step(self, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        z = z * torch.polar(torch.ones_like(self.angle) * 0.9, self.angle) + self.enter(x)
        return z.real @ torch.linalg.matrix_exp(self.mix), z


CELLS = {"gru": GRUCell, "lstm": LSTMCell, "turning": Turning}


@pytest.fixture(scope="module", autouse=True)
def one_or_two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def layers(kind: str, n: int, **settings: Any) -> list[Recurrent]:
    torch.manual_seed(n)
    return [Recurrent(CELLS[kind](2, 3).double(), **settings) for _ in range(n)]


def everything(members: Any, x: Tensor, lengths: Any, parameters: list[Tensor]) -> list[Tensor]:
    """Return outputs, final states, and the gradients of x and of the parameters."""
    x = x.clone().requires_grad_()
    outputs, state = members(x, lengths)
    states = state if isinstance(state, tuple) else (state,)
    loss = outputs.square().sum() + sum(s.abs().square().sum() for s in states)
    return [outputs, *states, *torch.autograd.grad(loss, [x, *parameters])]


def check(kind: str, n_members: int, lengths: list[list[int]], **more: Any) -> None:
    """Compare layers run together with each run by itself."""
    members = layers(kind, n_members, **more)
    n_rows, longest = len(lengths[0]), max(map(max, lengths))
    x = torch.randn(n_members * n_rows, longest, 2, dtype=torch.float64)
    together = everything(
        RecurrentMembers(members),
        x,
        [n for rows in lengths for n in rows],
        [p for member in members for p in member.parameters()],
    )
    outputs, *states, x_grad = together[: len(together) - sum(len(list(m.parameters())) for m in members)]
    grads = iter(together[len(states) + 2 :])
    for i, member in enumerate(members):
        rows = slice(i * n_rows, (i + 1) * n_rows)
        alone = everything(member, x[rows], lengths[i], list(member.parameters()))
        found = [
            outputs[rows],
            *(s[:, rows] for s in states),
            x_grad[rows],
            *(next(grads) for _ in member.parameters()),
        ]
        for one, other in zip(found, alone, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures("compiled")
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_layers_run_together_give_what_each_gives_alone(data: st.DataObject) -> None:
    torch.set_num_threads(data.draw(st.sampled_from([1, 2])))
    n_members, n_rows = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    lengths = data.draw(
        st.lists(
            st.lists(st.integers(0, 6), min_size=n_rows, max_size=n_rows), min_size=n_members, max_size=n_members
        ).filter(lambda rows: max(map(max, rows)) > 0)
    )
    check(data.draw(st.sampled_from(sorted(CELLS))), n_members, lengths)


@pytest.mark.parametrize(
    "more",
    [
        {"bidirectional": True, "num_layers": 2},
        {"initial_state": "learned"},
        {"memory": "recompute"},
        {"engine": "loop"},
        {"engine": "fused"},
    ],
    ids=str,
)
def test_all_settings_of_layers_apply_to_each_member(more: dict[str, Any]) -> None:
    check("gru", 3, [[4, 2, 5], [1, 0, 3], [2, 2, 2]], **more)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("kind", CELLS)
def test_the_compiled_engine_runs_all_members_in_one_call(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    run = CompiledEngine.run_members

    def counted(engine: CompiledEngine, cells: Any, *rest: Any) -> Any:
        calls.append(len(cells))
        return run(engine, cells, *rest)

    monkeypatch.setattr(CompiledEngine, "run_members", counted)
    check(kind, 3, [[2, 1], [3, 3], [1, 1]])
    assert calls == [3]


def test_members_of_unlike_kind_run_in_turn() -> None:
    members = [*layers("gru", 1), *layers("gru", 1)]
    members[1].cells[0].weight_ih.requires_grad_(False)
    x = torch.randn(4, 3, 2, dtype=torch.float64)
    outputs, _ = RecurrentMembers(members)(x)
    torch.testing.assert_close(outputs, torch.cat([m(part)[0] for m, part in zip(members, x.split(2))]))


@pytest.mark.parametrize(
    ("members", "threads", "expected"),
    [
        (1, 1, [slice(0, 1)]),
        (1, 3, [slice(0, 3)]),
        (4, 2, [slice(i, i + 1) for i in range(4)]),
        (5, 2, [*(slice(i, i + 1) for i in range(4)), slice(4, 6)]),
        (2, 3, [slice(0, 3), slice(3, 6)]),
    ],
)
def test_whole_members_are_distributed_and_the_others_cut(members: int, threads: int, expected: list[slice]) -> None:
    parts = Parts(members, threads)
    assert [parts.of(k) for k in range(members)] == expected
    assert len(parts) == expected[-1].stop
