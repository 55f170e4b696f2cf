"""`check_wrapper` passes seqpipe's wrappers, and names the fault of one that breaks the protocol."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from seqpipe import Cell
from seqpipe.builtins import seqpipe_wrappers
from seqpipe.exceptions import UnknownNameError
from seqpipe.recurrence.wrappers import Attention, Dropout, LayerNorm, Projection, Residual, Wrapper, Zoneout
from seqpipe.testing import CELL_CHECKS, WRAPPER_CHECKS, CheckError, check_wrapper

#: Checks that compile, fit, or wrap the cell once more.
SLOW = ("engines_agree", "estimators_fit_it", "streams_equal_predictions", "wrappers_fit")
SHIPPED: dict[Any, dict[str, Any]] = {
    Attention: {"n": 2},
    Dropout: {"on": ["output", "state"]},
    LayerNorm: {},
    Projection: {"size": 2},
    Residual: {},
    Zoneout: {},
}


def test_every_wrapper_of_the_registry_has_a_case() -> None:
    assert {spec.factory for spec in seqpipe_wrappers()} == set(SHIPPED)


@pytest.mark.parametrize("wrapper", SHIPPED)
def test_seqpipes_wrappers_pass(wrapper: Any) -> None:
    check_wrapper(wrapper, wrapper_params=SHIPPED[wrapper], exclude=SLOW)


def test_a_wrapper_is_fitted_in_estimators_and_run_by_engines() -> None:
    report = check_wrapper(LayerNorm, include=SLOW)
    assert "around LSTMCell: equal in loop" in report["engines_agree"].message


def test_a_function_may_be_a_wrapper() -> None:
    def deep(cell: Cell, times: int) -> Cell:
        for _ in range(times):
            cell = Residual(cell)
        return cell

    report = check_wrapper(deep, wrapper_params={"times": 2}, include=["returns_a_cell", "rows_are_independent"])
    assert report.subject == "deep(times=2)"


class NeedsSize(Residual):
    def __init__(self, cell: Cell, size: int) -> None:
        super().__init__(cell)


def returns_the_class(cell: Cell) -> Any:
    return type(cell)


class InputTooWide(Wrapper):
    def __init__(self, cell: Cell) -> None:
        super().__init__(cell)
        self.input_size += 1


class ScalesWeights(Wrapper):
    def __init__(self, cell: Cell) -> None:
        super().__init__(cell)
        with torch.no_grad():
            for parameter in cell.parameters():
                parameter.mul_(0.5)


class RestsItsCell(Wrapper):
    def __init__(self, cell: Cell) -> None:
        super().__init__(cell.eval())


class MarksItsCell(Wrapper):
    def __init__(self, cell: Cell) -> None:
        super().__init__(cell)
        object.__setattr__(cell, "is_wrapped", True)


class OwnFirst(Wrapper):
    """Carries the last output in front of the state of the cell."""

    n_own = 1

    def initial_state(self, batch_size: int) -> Any:
        own = self.like.new_zeros(batch_size, self.output_size)
        inner = self.cell.initial_state(batch_size)
        return (own, *(inner if isinstance(inner, tuple) else (inner,)))

    def step(self, x_t: Tensor, state: Any) -> tuple[Tensor, Any]:
        own, *inner = state
        output, after = self.cell.step(x_t, tuple(inner) if self._inner_is_tuple else inner[0])
        return output + 0.1 * own, (output, *(after if isinstance(after, tuple) else (after,)))


class UncountedOwn(Wrapper):
    """Adds a tensor to the state and does not say so."""

    def initial_state(self, batch_size: int) -> Any:
        return self.join_state(self.cell.initial_state(batch_size), (self.like.new_zeros(batch_size, 1),))

    def step(self, x_t: Tensor, state: Any) -> tuple[Tensor, Any]:
        *inner, own = state
        output, after = self.cell.step(x_t, tuple(inner) if self._inner_is_tuple else inner[0])
        return output, self.join_state(after, (own + 1,))


class HidesItsShape(Wrapper):
    """Projects to one feature more, and does not say so."""

    def project(self, x: Tensor) -> Tensor:
        return torch.cat([self.cell.project(x), x[:, :, :1]], dim=2)

    def step(self, x_t: Tensor, state: Any) -> tuple[Tensor, Any]:
        output, state = self.cell.step(x_t[:, :-1], state)
        return output + x_t[:, -1:], state


class OneStateTensor(Wrapper):
    """Takes it for granted that the state is a tensor."""

    def step(self, x_t: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self.cell.step(x_t, state * 0.9)


class MixesRows(Wrapper):
    def step(self, x_t: Tensor, state: Any) -> tuple[Tensor, Any]:
        output, state = self.cell.step(x_t, state)
        return output - output.mean(dim=0), state


#: The check that finds each fault, and words of its message.
FAULTS: dict[Any, tuple[str, str]] = {
    NeedsSize: ("returns_a_cell", "Around RNNCell it fails: TypeError: .*'size'.* are passed as wrapper_params="),
    returns_the_class: ("returns_a_cell", "Around RNNCell it returns a type: return a seqpipe.Cell"),
    InputTooWide: ("returns_a_cell", r"has input_size=4: call super\(\)\.__init__\(cell\)"),
    ScalesWeights: ("leaves_the_cell_as_it_is", "It changes .* of RNNCell: .* do not write them"),
    RestsItsCell: ("leaves_the_cell_as_it_is", r"calls eval\(\) or train\(\) of RNNCell: leave the mode"),
    MarksItsCell: ("leaves_the_cell_as_it_is", "It sets is_wrapped on RNNCell: keep attributes"),
    OwnFirst: ("state_of_the_cell_comes_first", r"return self\.join_state\(inner, own\)"),
    UncountedOwn: ("state_of_the_cell_comes_first", "has 1 tensors after those of the cell, and n_own is 0: set n_own"),
    HidesItsShape: ("fits_with_other_wrappers", r"It fails in residual, around RNNCell: .* define projected_shape"),
    OneStateTensor: ("step_returns_output_and_state", "around LSTMCell: .*TypeError"),
    MixesRows: ("rows_are_independent", "around RNNCell: Row 0, of 7 steps, gives another result .* must not mix rows"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_found_and_named(fault: Any) -> None:
    check, words = FAULTS[fault]
    with pytest.raises(CheckError, match=words):
        check_wrapper(fault, include=[check])


def test_every_check_of_its_own_finds_a_fault() -> None:
    own = {check.name for check in WRAPPER_CHECKS} - {check.name for check in CELL_CHECKS}
    assert own <= {check for check, _ in FAULTS.values()}


@pytest.mark.parametrize("fault", [MarksItsCell, HidesItsShape], ids=lambda fault: fault.__name__)
def test_only_the_check_of_the_fault_fails(fault: Any) -> None:
    report = check_wrapper(fault, exclude=SLOW, raise_exceptions=False)
    assert [result.name for result in report.failed] == [FAULTS[fault][0]]


def test_every_check_of_a_cell_but_the_one_of_speed_is_run() -> None:
    assert {check.name for check in CELL_CHECKS} - {check.name for check in WRAPPER_CHECKS} == {"speed_is_graded"}


def test_a_check_that_applies_to_neither_cell_is_skipped() -> None:
    report = check_wrapper(Zoneout, include=["returns_a_cell", "rows_are_independent_in_training"])
    assert report["rows_are_independent_in_training"].status == "skipped"


def test_an_unknown_check_is_refused() -> None:
    with pytest.raises(
        UnknownNameError, match=r"check_wrapper has no check 'returns_cell'\. Did you mean 'returns_a_ce"
    ):
        check_wrapper(Residual, include=["returns_cell"])
