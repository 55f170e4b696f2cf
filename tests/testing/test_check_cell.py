"""`check_cell` passes cells that keep the protocol, and names the defect of one that does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.cells import Cell, MinGRUCell, RNNCell
from seqpipe.exceptions import CellError
from seqpipe.plugins import host
from seqpipe.testing import check_cell


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", host().names("cell"))
def test_every_registered_cell_passes(name: str, dtype: torch.dtype) -> None:
    check_cell(host().find("cell", name, parameter="cell").spec.factory, dtype=dtype)


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize(("input_size", "hidden_size"), [(1, 1), (7, 2)])
def test_other_settings_and_sizes_pass(activation: str, input_size: int, hidden_size: int) -> None:
    check_cell(lambda i, h: RNNCell(i, h, activation), input_size=input_size, hidden_size=hidden_size)


class Sound(Cell):
    """A plain tanh cell, for defects to be built in."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.input(x_t) + h)
        return h, h


def test_the_sound_cell_passes() -> None:
    check_cell(Sound)


class Normed(Sound):
    """Its weight is computed from other parameters."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        nn.utils.parametrizations.weight_norm(self.input)


class Prepared(Sound):
    """Makes a weight when a sequence begins."""

    def initial_state(self, batch_size: int) -> Tensor:
        self.scaled = self.input.weight / self.input.weight.norm()
        return super().initial_state(batch_size)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(F.linear(x_t, self.scaled) + h)
        return h, h


@pytest.mark.parametrize("kind", [Normed, Prepared])
def test_cells_that_compute_their_weights_pass(kind: type[Cell]) -> None:
    check_cell(kind)


class FewRows(Sound):
    """Keeps a first state for at most eight samples."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.first: Tensor
        self.register_buffer("first", torch.zeros(8, hidden_size))

    def initial_state(self, batch_size: int) -> Tensor:
        return self.first[:batch_size]


def test_a_first_state_for_small_batches_only_is_found() -> None:
    with pytest.raises(CellError, match=r"initial_state must return .* for a batch of 4099 its tensor 0 is \(8, 5\)"):
        check_cell(FewRows)


class KeepsParameter(Sound):
    """Gives an attribute a parameter as it is."""

    def initial_state(self, batch_size: int) -> Tensor:
        self.kept = self.input.weight
        return super().initial_state(batch_size)


def test_a_parameter_under_a_second_name_is_found() -> None:
    with pytest.raises(AssertionError, match=r"a forward pass adds \['cells.0.kept'\] to the parameters"):
        check_cell(KeepsParameter)


class LooksAhead(Sound):
    def project(self, x: Tensor) -> Tensor:
        return x + F.pad(x[:, 1:], (0, 0, 0, 1))


class ReadsPadding(Sound):
    def project(self, x: Tensor) -> Tensor:
        return x - x.mean(dim=1, keepdim=True)


class MixesTheBatch(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return super().step(x_t - x_t.mean(dim=0), h)


class CountsRows(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return super().step(x_t + torch.arange(len(x_t)).to(x_t)[:, None], h)


class CountsSteps(Sound):
    def project(self, x: Tensor) -> Tensor:
        return x + torch.arange(x.shape[1]).to(x)[:, None]


class Remembers(Sound):
    """Keeps something from one call to the next."""

    calls = 0

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        self.calls += 1
        return super().step(x_t + self.calls, h)


class NoisyInUse(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return super().step(x_t + torch.randn_like(x_t), h)


class CutsTheGradient(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return super().step(x_t, h.detach())


class WrongKernel(RNNCell):
    """Says that torch computes it, and computes something else."""

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.sin(x_t + self.recur(h))
        return h, h

    def torch_kernel(self) -> str:
        return "rnn_tanh"


class UnsavedWeight(Sound):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.gain = torch.rand(hidden_size)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return super().step(x_t, self.gain * h)


class SizesSwapped(Sound):
    def __init__(self, hidden_size: int, input_size: int) -> None:
        super().__init__(input_size, hidden_size)


class SiblingTooWide(Sound):
    def sibling(self, input_size: int) -> Any:
        return type(self)(input_size, 2 * self.hidden_size)


class SiblingOfAnotherKind(Sound):
    def sibling(self, input_size: int) -> Any:
        return RNNCell(input_size, self.hidden_size)


class Branches(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return super().step(x_t, h) if h.isfinite().all() else super().step(x_t, 0 * h)


class WrongCoefficients(MinGRUCell):
    """Says that it forgets nothing."""

    def linear_coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        _, b = super().linear_coefficients(x)
        return torch.ones_like(b), b

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        a, b = super().linear_coefficients(x_t)
        h = a * h + b
        return h, h


class BroadcastCoefficients(MinGRUCell):
    def linear_coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = super().linear_coefficients(x)
        return a.mean(dim=-1, keepdim=True), b


DEFECTS: dict[Callable[[int, int], Cell], tuple[type[Exception], str]] = {
    LooksAhead: (AssertionError, "outputs up to step 3 depend on later steps"),
    ReadsPadding: (AssertionError, "outputs of sequence 1 alone differ by"),
    MixesTheBatch: (AssertionError, "outputs of sequence 0 alone differ by"),
    CountsRows: (AssertionError, "outputs of the permuted batch differ by"),
    CountsSteps: (AssertionError, "outputs in two chunks differ by"),
    Remembers: (AssertionError, "additional padding changes the outputs"),
    NoisyInUse: (AssertionError, "additional padding changes the outputs"),
    CutsTheGradient: (AssertionError, "the gradients do not match the outputs"),
    WrongKernel: (AssertionError, 'engine="auto" differs from the loop by'),
    UnsavedWeight: (AssertionError, "a cell with the same weights gives different outputs"),
    lambda i, h: SizesSwapped(h, i): (
        AssertionError,
        r"sibling\(\) does not take the input size as its first argument",
    ),
    SiblingTooWide: (AssertionError, r"sibling\(\) does not keep the hidden size"),
    SiblingOfAnotherKind: (AssertionError, r"sibling\(\) returns a RNNCell"),
    WrongCoefficients: (AssertionError, "linear_coefficients and the step differ by"),
    BroadcastCoefficients: (
        AssertionError,
        r"linear_coefficients returns a of shape \(4, 1, 1\), expected \(4, 1, 5\)",
    ),
    Branches: (CellError, "Branches cannot be unrolled ahead of time"),
}


@pytest.mark.parametrize("factory", DEFECTS, ids=lambda factory: factory.__name__)
def test_a_defect_is_found_and_named(factory: Callable[[int, int], Cell]) -> None:
    error, words = DEFECTS[factory]
    with pytest.raises(error, match=words):
        check_cell(factory)


def test_a_broken_step_is_found_before_all_else() -> None:
    class Widening(Sound):
        def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
            output, h = super().step(x_t, h)
            return torch.cat([output, output], dim=1), h

    with pytest.raises(CellError, match=r"Widening\.step must return, as its output, shape \(2, 5\)"):
        check_cell(Widening)


def test_the_users_random_generator_ends_as_it_began() -> None:
    before = torch.get_rng_state()
    check_cell(Sound)
    assert torch.equal(torch.get_rng_state(), before)
