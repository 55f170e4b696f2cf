"""A broken cell is distinguished from invalid data, before any data is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqpipe.builtins import seqpipe_cells
from seqpipe.cells import Cell, LSTMCell
from seqpipe.exceptions import CellError
from seqpipe.plugins import host
from seqpipe.recurrence import Recurrent, check_step


class Plain(Cell):
    """A cell with a given step."""

    def __init__(self, result: Callable[[Tensor], Any], first: Callable[[int], Any] | None = None) -> None:
        super().__init__(3, 5)
        self.input = nn.Linear(3, 5)
        self.result = result
        self.first = first

    def initial_state(self, batch_size: int) -> Any:
        return super().initial_state(batch_size) if self.first is None else self.first(batch_size)

    def step(self, x_t: Tensor, state: Any) -> Any:
        return self.result(self.input(x_t))


def failing(h: Tensor) -> Any:
    raise RuntimeError("no such gate")


BROKEN: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "a wider output": (
        lambda h: (torch.cat([h, h], dim=1), h),
        r"must return, as its output, shape \(2, 5\) for a batch of 2, got \(2, 10\)",
    ),
    "a narrower state": (lambda h: (h, h[:, :4]), r"state tensor 0, shape \(2, 5\) for a batch of 2, got \(2, 4\)"),
    "a lost batch": (lambda h: (h.mean(dim=0), h), r"output, shape \(2, 5\) for a batch of 2, got \(5,\)"),
    "NaN in the output": (
        lambda h: (h * torch.nan, h),
        "returns NaN or infinity in its output for inputs between -1 and 1",
    ),
    "infinity in the state": (lambda h: (h, h / 0), "returns NaN or infinity in its state tensor 0"),
    "another type of output": (
        lambda h: (h.double(), h),
        r"keep the type torch\.float32; its output is torch\.float64",
    ),
    "another type of state": (
        lambda h: (h, h.half()),
        r"keep the type torch\.float32; its state tensor 0 is torch\.float16",
    ),
    "an output alone": (lambda h: h, r"must return \(output, state\), got Tensor"),
    "three things": (lambda h: (h, h, h), r"must return \(output, state\), got tuple"),
    "a list": (lambda h: [h, h], r"must return \(output, state\), got list"),
    "nothing": (lambda h: None, r"must return \(output, state\), got NoneType"),
    "an array": (lambda h: (h.numpy(), h), "must return tensors; its output is ndarray"),
    "a state in a tuple": (lambda h: (h, (h,)), "must return a state built as initial_state builds it"),
    "a step that raises": (failing, r"fails on an input of shape \(2, 1, 3\): RuntimeError: no such gate"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_step_is_refused_with_what_is_wrong(what: str) -> None:
    result, words = BROKEN[what]
    with pytest.raises(CellError, match=rf"Plain(\.step)? .*{words}"):
        check_step(Plain(result))


def test_a_cell_that_raises_keeps_its_own_error_as_cause() -> None:
    with pytest.raises(CellError, match="no such gate") as caught:
        check_step(Plain(failing))
    assert isinstance(caught.value.__cause__, RuntimeError)


def failing_first(batch_size: int) -> Any:
    raise KeyError("size")


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (failing_first, r"initial_state fails: KeyError: 'size'"),
        (lambda n: 0, r"must return a tensor of shape \(batch, …\), .* for a batch of 2 its tensor 0 is int"),
        (lambda n: torch.zeros(5), r"for a batch of 2 its tensor 0 is \(5,\)"),
        (lambda n: (torch.zeros(n, 5), torch.zeros(1, 5)), r"for a batch of 2 its tensor 1 is \(1, 5\)"),
        (lambda n: (torch.zeros(n, 5), torch.zeros(n, 5)), "must return a state built as initial_state builds it"),
    ],
)
def test_a_broken_initial_state_is_refused(first: Callable[[int], Any], words: str) -> None:
    with pytest.raises(CellError, match=words):
        check_step(Plain(lambda h: (h, h), first))


def test_recurrent_refuses_a_broken_cell_before_it_sees_data() -> None:
    with pytest.raises(CellError, match="returns NaN or infinity"):
        Recurrent(Plain(lambda h: (h * torch.nan, h)))


@pytest.mark.parametrize("name", [spec.name for spec in seqpipe_cells()])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_registered_cell_passes(name: str, dtype: torch.dtype) -> None:
    check_step(host().find("cell", name, parameter="cell").spec.factory(1, 1).to(dtype))


def test_the_trial_step_leaves_no_trace() -> None:
    class Noisy(LSTMCell):
        def step(self, x_t: Tensor, state: Any) -> Any:
            h, (_, c) = super().step(x_t, state)
            return nn.functional.dropout(h), (h, c)

    cell = Noisy(3, 5)
    before = torch.get_rng_state()
    check_step(cell)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(p.grad is None for p in cell.parameters())
