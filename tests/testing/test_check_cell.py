"""`check_cell` passes cells that keep the protocol, and names the fault of one that does not."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe import Cell, GRUCell, RNNCell
from seqpipe.exceptions import UnknownNameError
from seqpipe.plugins import host
from seqpipe.recurrence.wrappers import wrap
from seqpipe.testing import CELL_CHECKS, CheckError, check_cell, parametrize_with_cell_checks


def _planted() -> Any:
    spec = importlib.util.spec_from_file_location("planted", Path(__file__).with_name("planted.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["planted"] = importlib.util.module_from_spec(spec)  # pickle finds its classes by name
    spec.loader.exec_module(module)
    return module


planted = _planted()
Sound: Any = planted.Sound
#: Checks that take a second or more: they compile, fit or measure.
SLOW = ("engines_agree", "estimators_fit_it", "streams_equal_predictions", "speed_is_graded")


@pytest.mark.parametrize("name", ["convlstm", "gru", "lstm", "mgu", "min_gru", "mlp", "rnn"])
def test_registered_cells_pass(name: str) -> None:
    check_cell(host().find("cell", name, parameter="cell").spec.factory, exclude=["speed_is_graded"])


@pytest.mark.parametrize("fault", planted.FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_found_and_named(fault: Callable[..., Cell]) -> None:
    check, words = planted.FAULTS[fault]
    with pytest.raises(CheckError, match=words):
        check_cell(fault, include=[check])


def test_all_checks_run_after_one_that_failed() -> None:
    report = check_cell(planted.DetachedState, exclude=SLOW, raise_exceptions=False)
    assert not report.passed
    assert len(report.results) == len(CELL_CHECKS) - len(SLOW)
    assert report["gradients_reach_earlier_steps"].status == "failed"
    assert report["rows_are_independent"].status == "passed"
    assert report["linear_form_equals_step"].status == "skipped"
    assert f"{len(report.failed)} failed" in str(report).splitlines()[0]
    assert report.as_dict()["passed"] is False


class Normed(Sound):
    """Its weight is computed from other parameters."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        nn.utils.parametrizations.weight_norm(self.input)


class Prepared(Sound):
    """Makes a weight when a sequence begins."""

    def initial_state(self, batch_size: int) -> Tensor:
        self.scaled = self.input.weight / self.input.weight.norm()
        return Cell.initial_state(self, batch_size)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(F.linear(x_t, self.scaled) + h + self.input.bias)
        return h, h


class Branches(Sound):
    """Decides by the shape and by the values."""

    def step(self, x_t: Tensor, h: Tensor) -> Any:
        h = h if len(x_t) > 1 else 1 * h
        return super().step(x_t, h) if h.isfinite().all() else super().step(x_t, 0 * h)


class Echo(Cell):
    """An echo state cell: nothing is trained."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.register_buffer("enter", torch.randn(input_size, hidden_size))
        self.register_buffer("mix", torch.randn(hidden_size, hidden_size) / hidden_size)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(x_t @ self.enter + h @ self.mix)
        return h, h


class Turning(Cell):
    """Its state is complex, and an integer counts the steps in it."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.enter = nn.Linear(input_size, hidden_size)
        self.angle = nn.Parameter(torch.linspace(0.1, 1, hidden_size))

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        z = torch.zeros(batch_size, self.hidden_size, dtype=self.angle.dtype.to_complex(), device=self.angle.device)
        return z, torch.zeros(batch_size, 1, dtype=torch.int64, device=self.angle.device)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        z, n = state
        z = z * torch.polar(torch.full_like(self.angle, 0.9), self.angle) + self.enter(x_t)
        return z.real / (n + 1), (z, n + 1)


class Dropped(Sound):
    """Draws random numbers in training."""

    def step(self, x_t: Tensor, h: Tensor) -> Any:
        return super().step(F.dropout(x_t, 0.5, self.training), h)


class Oscillating(Cell):
    """A linear recurrence with a complex state of its own shape, read as a real output; its step is derived."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size)
        self.angle = nn.Parameter(torch.linspace(0.1, 1, hidden_size))

    def initial_state(self, batch_size: int) -> Tensor:
        return self.angle.new_zeros(batch_size, 2, self.hidden_size, dtype=self.angle.dtype.to_complex())

    def project(self, x: Tensor) -> Tensor:
        projected: Tensor = self.input(x)
        return projected.unflatten(-1, (2, -1))

    def linear_coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a = torch.polar(torch.full_like(self.angle, 0.9), self.angle)
        return a.expand(1, 1, 1, -1), x

    def linear_output(self, x: Tensor, states: Tensor) -> Tensor:
        return (states.real + x).sum(dim=2)


@pytest.mark.parametrize(
    "kind", [Sound, Normed, Prepared, Branches, Echo, Turning, Dropped, Oscillating, planted.Summing]
)
def test_right_cells_pass(kind: type[Cell]) -> None:
    check_cell(kind, exclude=["speed_is_graded"])


def test_a_cell_in_wrappers_passes() -> None:
    def wrapped(input_size: int, hidden_size: int) -> Cell:
        return wrap(RNNCell(input_size, hidden_size), ["residual", "layer_norm", "zoneout"])

    check_cell(wrapped, exclude=SLOW)


@pytest.mark.parametrize(("sizes", "activation"), [((1, 1), "relu"), ((4, 7), "tanh")])
def test_sizes_and_settings_are_those_given(sizes: tuple[int, int], activation: str) -> None:
    seen = []

    class Seen(RNNCell):
        def __init__(self, input_size: int, hidden_size: int, activation: str) -> None:
            super().__init__(input_size, hidden_size, activation)
            seen.append((input_size, hidden_size, activation))

    report = check_cell(
        Seen, cell_params={"activation": activation}, sizes=sizes, include=["step_returns_output_and_state"]
    )
    assert seen[0] == (*sizes, activation)
    assert report.subject == f"Seen(activation={activation!r})"


def test_an_unknown_check_is_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"no check 'row_are_independent'\. Did you mean 'rows_are_independent'"):
        check_cell(Sound, include=["row_are_independent"])


def test_expected_failures_are_told_apart() -> None:
    report = check_cell(
        planted.DeadParameter, include=["every_parameter_learns"], expected_failed={"every_parameter_learns": "to come"}
    )
    assert report.passed
    assert (report.results[0].status, report.results[0].message) == ("failed as expected", "to come")


def test_what_a_check_does_not_foresee_is_reported_with_its_place() -> None:
    class Breaks(Sound):
        def project(self, x: Tensor) -> Tensor:
            raise RuntimeError("no projection today")

    report = check_cell(Breaks, include=["results_repeat"], raise_exceptions=False)
    assert "no projection today" in report["results_repeat"].message


OF_A_PLUGIN = """
from seqpipe import RNNCell
from seqpipe.testing import check_cell, parametrize_with_cell_checks

@parametrize_with_cell_checks([RNNCell], expected_failed_checks=lambda cell: {"results_repeat": "no"})
def test_cell(cell, check):
    check_cell(cell, include=[check])
"""


def test_pytest_runs_each_check_as_a_test(tmp_path: Path) -> None:
    (tmp_path / "test_plugin.py").write_text(OF_A_PLUGIN)
    command = [sys.executable, "-m", "pytest", "-q", "-k", "results or sizes_are_used", "-p", "no:cacheprovider"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert "2 passed" in ended.stdout
    assert "1 xpassed" in ended.stdout


def test_the_decorator_lists_every_check() -> None:
    mark = parametrize_with_cell_checks([Sound, RNNCell])
    assert len(mark.args[1]) == 2 * len(CELL_CHECKS)


def test_the_decorator_leaves_checks_out() -> None:
    names = [case.values[1] for case in parametrize_with_cell_checks([Sound], exclude=SLOW).args[1]]
    assert names == [check.name for check in CELL_CHECKS if check.name not in SLOW]


def test_the_users_random_generator_ends_as_it_began() -> None:
    before = torch.get_rng_state()
    check_cell(Sound, exclude=SLOW)
    assert torch.equal(torch.get_rng_state(), before)


def test_of_several_sizes_each_is_checked() -> None:
    class Squeezes(GRUCell):
        def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
            output, h = super().step(x_t, h)
            return output.squeeze(1), h

    assert check_cell(Squeezes, include=["step_returns_output_and_state"]).passed
    report = check_cell(
        Squeezes, sizes=[(3, 5), (1, 1)], include=["step_returns_output_and_state"], raise_exceptions=False
    )
    assert report.failed[0].message.startswith("with input_size=1, hidden_size=1: ")
    assert check_cell(GRUCell, sizes=[(3, 5), (1, 1)], include=["step_returns_output_and_state"]).passed
