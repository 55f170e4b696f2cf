"""The engine for cells that declare a linear recurrence, compared with the plain loop; wrong declarations."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from seqpipe.cells import Cell, GRUCell, MinGRUCell
from seqpipe.recurrence import Recurrent
from seqpipe.recurrence.contents import contents_of

LIMITS = {torch.float64: 1e-12, torch.float32: 1e-5}
few = settings(max_examples=15, deadline=None)


class Halved(MinGRUCell):
    """Overrides the step, but inherits the coefficients."""

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        output, h = super().step(x_t, h)
        return output / 2, h


class Shifted(MinGRUCell):
    """Overrides both."""

    def linear_coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = super().linear_coefficients(x)
        return a, b + 1


class Spinning(Cell):
    """A complex state, read as a real output; the step is derived."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.angle = nn.Parameter(torch.linspace(0.1, 1, hidden_size))

    def initial_state(self, batch_size: int) -> Tensor:
        return self.angle.new_zeros(batch_size, self.hidden_size, dtype=self.angle.dtype.to_complex())

    def linear_coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.polar(torch.full_like(self.angle, 0.9), self.angle)[None, None], self.input(x)

    def linear_output(self, x: Tensor, states: Tensor) -> Tensor:
        return states.real + x.sum(dim=-1, keepdim=True)


class Doubled(Spinning):
    """Overrides what the derived step reads."""

    gain: ClassVar = [2.0]

    def linear_output(self, x: Tensor, states: Tensor) -> Tensor:
        return self.gain[0] * super().linear_output(x, states)


class Summing(Cell):
    """Adds its inputs up and counts them, with a scan."""

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        zeros = super().initial_state(batch_size)
        return zeros, zeros[:, :1]

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        s, n = state[0] + x_t, state[1] + 1
        return s / n, (s, n)

    def scan(
        self, x: Tensor, state: tuple[Tensor, Tensor], valid: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        one = torch.ones_like(x[..., :1]) if valid is None else valid[..., None].to(x)
        s, n = (state[0][:, None] + (one * x).cumsum(dim=1)), state[1][:, None] + one.cumsum(dim=1)
        return s / n, (s[:, -1], n[:, -1])


class Squared(Summing):
    """Overrides the step, but inherits the scan."""

    def step(self, x_t: Tensor, state: Any) -> Any:
        output, state = super().step(x_t, state)
        return output.square(), state


class Lying(Cell):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(h + x_t)
        return h, h

    def linear_coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ones_like(x), x


class Noisy(Cell):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.nn.functional.dropout(h, 0.5, self.training) + x_t
        return h, h

    def linear_coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.nn.functional.dropout(torch.ones_like(x), 0.5, self.training), x


@pytest.fixture(autouse=True)
def scan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQPIPE_ENGINE", "scan")


def only(recurrent: Recurrent) -> tuple[str, str]:
    (choice,) = recurrent.explain()
    return choice.engine, choice.reason


def everything(recurrent: Recurrent, x: Tensor, lengths: list[int], state: Tensor, engine: str) -> list[Tensor]:
    """Outputs, final state, and the gradients of a weighted sum over both."""
    recurrent.engine = engine
    outputs, final = recurrent(x, lengths, state)
    generator = torch.Generator().manual_seed(1)
    weighted = [(r * torch.randn(r.shape, generator=generator, dtype=r.dtype)).sum() for r in (outputs, final)]
    loss = sum(w.real for w in weighted)
    assert isinstance(loss, Tensor)
    return [outputs.detach(), final.detach(), *torch.autograd.grad(loss, [x, state, *recurrent.parameters()])]


@pytest.mark.parametrize("dtype", LIMITS, ids=str)
@few
@given(
    batch=st.integers(1, 4),
    n_timesteps=st.one_of(st.integers(1, 6), st.integers(32, 70)),
    bidirectional=st.booleans(),
    num_layers=st.integers(1, 2),
    data=st.data(),
)
def test_results_and_gradients_are_the_plain_loops(
    dtype: torch.dtype, batch: int, n_timesteps: int, bidirectional: bool, num_layers: int, data: st.DataObject
) -> None:
    torch.manual_seed(batch + n_timesteps)
    recurrent = Recurrent(MinGRUCell(3, 5).to(dtype), bidirectional=bidirectional, num_layers=num_layers)
    assert {choice.engine for choice in recurrent.explain()} == {"scan"}
    lengths = data.draw(st.lists(st.integers(0, n_timesteps), min_size=batch, max_size=batch))
    x = torch.randn(batch, n_timesteps, 3, dtype=dtype, requires_grad=True)
    state = torch.randn(len(recurrent.cells), batch, 5, dtype=dtype, requires_grad=True)
    found, expected = (everything(recurrent, x, lengths, state, engine) for engine in ("auto", "loop"))
    for a, b in zip(expected, found, strict=True):
        assert float((a - b).norm()) <= LIMITS[dtype] * max(float(a.norm()), 1.0)


def test_nan_in_the_padding_never_leaks() -> None:
    recurrent, x = Recurrent(MinGRUCell(3, 5)), torch.randn(3, 40, 3)
    x[1, 7:] = torch.nan
    outputs, state = recurrent(x, [40, 7, 40])
    (outputs.sum() + state.sum()).backward()
    assert torch.isfinite(outputs).all()
    assert all(torch.isfinite(p.grad).all() for p in recurrent.parameters() if p.grad is not None)


def test_results_can_be_differentiated_twice() -> None:
    recurrent = Recurrent(MinGRUCell(2, 2).double())
    x = torch.randn(1, 33, 2, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradgradcheck(lambda x: recurrent(x)[0][:, -3:], (x,))


def test_a_cell_that_declares_nothing_is_not_for_it() -> None:
    assert only(Recurrent(GRUCell(3, 5))) == (
        "loop",
        "SEQPIPE_ENGINE=scan; not scan: the cell does not define linear_coefficients",
    )


def test_a_subclass_that_changes_its_step_is_not_run_by_coefficients_that_do_not_know() -> None:
    engine, reason = only(Recurrent(Halved(3, 5)))
    assert engine == "loop"
    assert "Halved overrides the step that its linear_coefficients describe" in reason


def test_a_subclass_that_changes_its_coefficients_is_run_by_them() -> None:
    recurrent, x = Recurrent(Shifted(3, 5)), torch.randn(2, 40, 3)
    assert only(recurrent)[0] == "scan"
    torch.testing.assert_close(recurrent(x), Recurrent(recurrent.cells[0], engine="loop")(x))


@pytest.mark.parametrize("kind", [Spinning, Doubled])
@pytest.mark.parametrize("n_timesteps", [4, 40])
def test_a_complex_state_is_scanned_and_read_as_its_derived_step_does(kind: type[Cell], n_timesteps: int) -> None:
    torch.manual_seed(0)
    recurrent = Recurrent(kind(3, 5).double())
    assert only(recurrent)[0] == "scan"
    x = torch.randn(3, n_timesteps, 3, dtype=torch.float64, requires_grad=True)
    state = torch.randn(1, 3, 5, dtype=torch.complex128, requires_grad=True)
    found, expected = (everything(recurrent, x, [n_timesteps, 0, 2], state, engine) for engine in ("auto", "loop"))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_what_a_derived_step_reads_of_its_class_is_part_of_the_contents(monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents_of(Doubled(3, 5)).signature
    monkeypatch.setattr(Doubled, "gain", [2.0])
    assert contents_of(Doubled(3, 5)).signature == before
    Doubled.gain[0] = 3.0
    assert contents_of(Doubled(3, 5)).signature != before


def test_a_cells_own_scan_is_used_for_its_steps() -> None:
    recurrent, x = Recurrent(Summing(3, 3)), torch.randn(3, 6, 3)
    assert only(recurrent)[0] == "scan"
    torch.testing.assert_close(recurrent(x, [6, 0, 2]), Recurrent(recurrent.cells[0], engine="loop")(x, [6, 0, 2]))


def test_a_subclass_that_changes_its_step_is_not_run_by_an_inherited_scan() -> None:
    assert "Squared overrides the step that its scan describes" in only(Recurrent(Squared(3, 3)))[1]


def test_coefficients_that_are_not_those_of_the_step_warn_once_and_are_not_used() -> None:
    recurrent, x = Recurrent(Lying(3, 3)), torch.randn(2, 4, 3)
    with pytest.warns(
        RuntimeWarning, match="'scan' is not used for Lying: its results differ from the plain loop's by"
    ):
        outputs, _ = recurrent(x)
    torch.testing.assert_close(outputs, Recurrent(recurrent.cells[0], engine="loop")(x)[0])
    engine, reason = only(recurrent)
    assert engine == "loop"
    assert re.search("not scan: its results differ", reason)


def test_a_cell_that_draws_random_numbers_loops_while_it_does() -> None:
    recurrent = Recurrent(Noisy(3, 3))
    assert "the cell draws random numbers" in only(recurrent)[1]
    assert only(recurrent.eval())[0] == "scan"


def test_autocast_is_left_to_others() -> None:
    recurrent = Recurrent(MinGRUCell(3, 5))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert "torch.autocast" in only(recurrent)[1]
        assert recurrent(torch.randn(2, 4, 3))[0].shape == (2, 4, 5)
