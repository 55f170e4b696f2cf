"""Which engine runs a cell, and why; the unrolled engine and its limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.cells import Cell, GRUCell, LSTMCell, MLPCell, RNNCell
from seqpipe.exceptions import CellError
from seqpipe.recurrence import Choice, Recurrent


class Halved(GRUCell):
    """Overrides the step, but inherits the name of the kernel."""

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        output, h = super().step(x_t, h)
        return output / 2, h


class Shifted(GRUCell):
    def project(self, x: Tensor) -> Tensor:
        return super().project(x) + 1


class Forgetful(GRUCell):
    def recur(self, h: Tensor) -> Tensor:
        return 0 * super().recur(h)


class Renamed(LSTMCell):
    """Changes no computation."""


def only(recurrent: Recurrent) -> Choice:
    (choice,) = recurrent.explain()
    return choice


@pytest.mark.parametrize(
    "cell", [RNNCell(3, 5), RNNCell(3, 5, "relu"), LSTMCell(3, 5), GRUCell(3, 5), Renamed(3, 5)], ids=repr
)
def test_torchs_kernel_runs_the_cells_it_computes(cell: Cell) -> None:
    assert only(Recurrent(cell)) == Choice(0, "forward", "fused", "SEQPIPE_ENGINE=fused")


@pytest.mark.parametrize("cell", [RNNCell(3, 5, "sigmoid"), MLPCell(3, 5)], ids=repr)
def test_the_loop_runs_cells_that_torch_has_no_kernel_for(cell: Cell) -> None:
    choice = only(Recurrent(cell))
    assert (choice.engine, choice.reason) == (
        "loop",
        "SEQPIPE_ENGINE=fused; not fused: torch has no kernel for this cell",
    )


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("cell", [RNNCell(3, 5, "sigmoid"), MLPCell(3, 5), GRUCell(3, 5), Halved(3, 5)], ids=repr)
def test_any_cell_is_compiled_unless_told_otherwise(cell: Cell) -> None:
    assert only(Recurrent(cell)) == Choice(0, "forward", "c", "the first of seqpipe's engines that accepts this cell")
    (choice,) = Recurrent(cell).explain(code=True)
    assert choice.code.count("int run(") == 2


def test_an_engine_that_does_not_exist_is_refused_with_those_that_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQPIPE_ENGINE", "warp")
    with pytest.raises(ValueError, match=r"SEQPIPE_ENGINE must be 'auto' or one of \['c', 'fused', .*\]\. Got 'warp'"):
        Recurrent(GRUCell(3, 5))(torch.zeros(1, 2, 3))


def test_without_a_compiler_everything_runs_and_the_reason_tells_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQPIPE_ENGINE", "auto")
    monkeypatch.setenv("SEQPIPE_CC", "no-such-compiler")
    recurrent = Recurrent(GRUCell(4, 9))
    assert only(recurrent).engine == "fused"
    assert "not c: " in only(recurrent).reason
    assert "no-such-compiler" in only(recurrent).reason
    assert recurrent(torch.zeros(2, 3, 4))[0].shape == (2, 3, 9)


@pytest.mark.parametrize("cls", [Halved, Shifted, Forgetful])
def test_a_subclass_that_computes_something_else_never_gets_torchs_kernel(cls: type[GRUCell]) -> None:
    torch.manual_seed(0)
    cell, x = cls(3, 5), torch.randn(2, 6, 3)
    choice = only(Recurrent(cell))
    assert choice.engine == "loop"
    assert (
        choice.reason
        == f"SEQPIPE_ENGINE=fused; not fused: {cls.__name__} overrides the step that torch's kernel computes"
    )
    torchs = GRUCell(3, 5)
    torchs.load_state_dict(cell.state_dict())
    outputs = Recurrent(cell)(x)[0]
    assert not torch.allclose(outputs, Recurrent(torchs)(x)[0], atol=1e-3)
    h, steps = cell.initial_state(2), []
    for t in range(6):
        output, h = cell(x[:, t], h)
        steps.append(output)
    torch.testing.assert_close(outputs, torch.stack(steps, dim=1))


@pytest.mark.parametrize("engine", ["loop", "unrolled", "fused", "torch"])
def test_an_engine_that_was_asked_for_is_used_and_named(engine: str) -> None:
    assert only(Recurrent(GRUCell(3, 5), engine=engine)) == Choice(0, "forward", engine, f'engine="{engine}"')


def test_where_the_engine_that_was_asked_for_refuses_the_plain_loop_runs() -> None:
    reason = 'engine="fused"; not fused: torch has no kernel for this cell'
    assert only(Recurrent(MLPCell(3, 5), engine="fused")) == Choice(0, "forward", "loop", reason)


def test_the_parameter_goes_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQPIPE_ENGINE", "fused")
    assert only(Recurrent(GRUCell(3, 5), engine="loop")).engine == "loop"


def test_every_layer_and_direction_is_explained_in_words() -> None:
    told = [str(choice) for choice in Recurrent(GRUCell(3, 5), num_layers=2, bidirectional=True).explain()]
    assert told == [
        "layer 0, forward: fused (SEQPIPE_ENGINE=fused)",
        "layer 0, backward: fused (SEQPIPE_ENGINE=fused)",
        "layer 1, forward: fused (SEQPIPE_ENGINE=fused)",
        "layer 1, backward: fused (SEQPIPE_ENGINE=fused)",
    ]


class Decaying(Cell):
    """A simple cell, for steps that a static graph may or may not support."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = self.change(self.input(x_t) + 0.5 * h)
        return h, h

    def change(self, h: Tensor) -> Tensor:
        return h


class Branching(Decaying):
    def change(self, h: Tensor) -> Tensor:
        return h if h.sum() > 0 else -h


class Measuring(Decaying):
    def change(self, h: Tensor) -> Tensor:
        return h * float(h.detach().mean())


class Leaving(Decaying):
    def change(self, h: Tensor) -> Tensor:
        return h * np.tanh(len(h))


@pytest.mark.parametrize("cls", [Branching, Measuring, Leaving])
def test_a_step_that_needs_values_cannot_be_laid_out_but_loops(cls: type[Cell]) -> None:
    cell, x = cls(3, 5), torch.randn(2, 4, 3)
    with pytest.raises(CellError, match=rf'{cls.__name__} cannot be unrolled ahead of time .* Use engine="loop"\.'):
        Recurrent(cell, engine="unrolled")(x)
    assert Recurrent(cell, engine="loop")(x)[0].shape == Recurrent(cell)(x)[0].shape == (2, 4, 5)


class Dropping(Decaying):
    def change(self, h: Tensor) -> Tensor:
        rows, width = h.shape
        return F.dropout(h, 0.5, self.training) * (rows / (rows + width - width))


def test_the_unrolled_engine_follows_shapes_and_the_training_mode() -> None:
    recurrent, x = Recurrent(Dropping(3, 50), engine="unrolled"), torch.randn(2, 4, 3)
    assert (recurrent(x)[0] == 0).any()
    recurrent.eval()
    assert not (recurrent(x)[0] == 0).any()
    assert recurrent(torch.randn(7, 3, 3))[0].shape == (7, 3, 50)


def test_the_unrolled_engine_trains_the_cells_own_weights() -> None:
    cell = Decaying(3, 5)
    Recurrent(cell, engine="unrolled")(torch.randn(2, 4, 3))[0].sum().backward()
    assert cell.input.weight.grad is not None


def test_a_cell_within_a_cell_is_laid_out_too() -> None:
    class Residual(Cell):
        def __init__(self, input_size: int, hidden_size: int) -> None:
            super().__init__(input_size, hidden_size)
            self.inner = LSTMCell(input_size, hidden_size)

        def initial_state(self, batch_size: int) -> Any:
            return self.inner.initial_state(batch_size)

        def project(self, x: Tensor) -> Tensor:
            return self.inner.project(x)

        def step(self, x_t: Tensor, state: Any) -> Any:
            output, state = self.inner.step(x_t, state)
            return output + state[1], state

    cell, x = Residual(3, 5), torch.randn(2, 4, 3)
    expected = Recurrent(cell, engine="loop")(x, [4, 2])
    torch.testing.assert_close(Recurrent(cell, engine="unrolled")(x, [4, 2]), expected)


class Normalised(Cell):
    """A gated step with layer normalisation, and torch functions whose derivatives work in place."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size)
        self.recurrent = nn.Linear(hidden_size, 2 * hidden_size, bias=False)
        self.gates = nn.LayerNorm(2 * hidden_size)
        self.out = nn.LayerNorm(hidden_size, elementwise_affine=False)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        z, n = (self.input(x_t) + self.gates(self.recurrent(h))).chunk(2, dim=1)
        h = torch.lerp(torch.tanh(n), h, torch.sigmoid(z))
        return self.out(h), h


@pytest.mark.usefixtures("compiled")
def test_layer_normalisation_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    recurrent = Recurrent(Normalised(3, 20).double())
    assert only(recurrent).engine == "c"
    nn.init.normal_(recurrent.cells[0].gates.weight)
    x = torch.randn(4, 6, 3, dtype=torch.float64, requires_grad=True)
    found = []
    for engine in ("c", "loop"):
        monkeypatch.setenv("SEQPIPE_ENGINE", engine)
        outputs, state = recurrent(x, [6, 1, 4, 2])
        loss = (outputs * torch.linspace(0, 1, 20)).sum() + state.sum()
        found.append([outputs, state, *torch.autograd.grad(loss, [x, *recurrent.parameters()])])
    torch.testing.assert_close(found[0], found[1], rtol=1e-12, atol=1e-12)
