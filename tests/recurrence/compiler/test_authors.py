"""Cells with masks, counters, settings and parametrizations: every engine gives the results of the plain loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from seqpipe.cells import Cell
from seqpipe.exceptions import CellError, CompilerError
from seqpipe.recurrence import Recurrent
from seqpipe.recurrence.compiler.c._toolchain import find_compiler


@pytest.fixture(autouse=True)
def any_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let seqpipe choose the engine; skip where there is no C compiler."""
    monkeypatch.delenv("SEQPIPE_ENGINE", raising=False)
    try:
        find_compiler()
    except CompilerError as error:
        pytest.skip(str(error))


class Plain(Cell):
    """A step that subclasses override."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.recur = nn.Linear(hidden_size, hidden_size, bias=False)
        self.set_up()

    def set_up(self) -> None:
        pass

    def rate(self, x_t: Tensor) -> Any:
        return 0.5

    def recurrent_part(self, h: Tensor) -> Tensor:
        part: Tensor = self.recur(h)
        return part

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = self.rate(x_t) * h + torch.tanh(self.input(x_t) + self.recurrent_part(h))
        return h, h


def results(recurrent: Recurrent, x: Tensor, engine: str) -> list[Tensor]:
    """Return outputs, state and gradients in training mode, from the same random numbers."""
    recurrent.engine = engine
    torch.manual_seed(3)
    np.random.seed(3)
    recurrent.zero_grad()
    outputs, state = recurrent(x, lengths=[9, 4, 6][: len(x)])
    states = state if isinstance(state, tuple) else (state,)
    (outputs.square().sum() + sum(s.sum() for s in states)).backward()
    return [
        outputs.detach(),
        *[s.detach() for s in states],
        *[p.grad.clone() for p in recurrent.parameters() if p.grad is not None],
    ]


def check_equal(recurrent: Recurrent, n_samples: int = 3) -> str:
    """Assert that the engine chosen by "auto" gives the results of the loop; return its name."""
    x = torch.randn(n_samples, 9, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = results(recurrent, x, "auto")
    (choice,) = recurrent.explain()
    for a, b in zip(found, results(recurrent, x, "loop"), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
    return f"{choice.engine}: {choice.reason}"


def make(kind: type[Cell]) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(kind(2, 5).double())


class Configured(Plain):
    shared = 0.5

    def set_up(self) -> None:
        self.settings: Any = {"rate": 0.5}

    def rate(self, x_t: Tensor) -> Any:
        return self.settings["rate"] * self.shared


def test_settings_count_when_they_are_changed_in_place_replaced_or_the_classs(monkeypatch: pytest.MonkeyPatch) -> None:
    recurrent: Any = make(Configured)
    cell = recurrent.cells[0]
    assert check_equal(recurrent).startswith("c: ")
    cell.settings["rate"] = 0.05
    check_equal(recurrent)
    for rate in (0.9, 0.8):  # the next dict is likely to get the memory of the last one
        cell.settings = None
        cell.settings = {"rate": rate}
        check_equal(recurrent)
    monkeypatch.setattr(Configured, "shared", 0.1)
    assert check_equal(recurrent).startswith("c: ")


def test_a_dict_costs_no_second_plan_in_the_next_fit() -> None:
    first, second = make(Configured), make(Configured)
    assert check_equal(first).startswith("c: ")
    plans = _plans()
    assert check_equal(second).startswith("c: ")
    assert _plans() == plans


def _plans() -> int:
    from seqpipe.recurrence.engines._catalogue import engine_named

    engine: Any = engine_named("c")
    return len(engine._plans)


class Branching(Plain):
    def rate(self, x_t: Tensor) -> Any:
        return 0.1 if len(x_t) == 1 else 0.5


def test_a_branch_on_the_number_of_samples_is_taken_as_in_the_loop() -> None:
    recurrent = make(Branching)
    assert check_equal(recurrent).startswith("c: ")
    assert "does something else for another batch size" in check_equal(recurrent, n_samples=1)


class Sized(Plain):
    def rate(self, x_t: Tensor) -> Any:
        return x_t.new_full((x_t.shape[0], 1), 0.5)


def test_a_step_that_only_reads_the_number_of_samples_is_compiled() -> None:
    recurrent = make(Sized)
    assert check_equal(recurrent).startswith("c: ")
    assert check_equal(recurrent, n_samples=1).startswith("c: ")


class WeightDropped(Plain):
    """Drops recurrent weights once per sequence; the mask is stored in a dict."""

    def initial_state(self, batch_size: int) -> Tensor:
        self.made = {"weight": nn.functional.dropout(self.recur.weight * 1.0, 0.5, self.training)}
        return super().initial_state(batch_size)

    def recurrent_part(self, h: Tensor) -> Tensor:
        return nn.functional.linear(h, self.made["weight"])


@pytest.mark.parametrize("memory", ["keep", "recompute"])
def test_a_weight_made_in_initial_state_is_compiled_and_learns(memory: str) -> None:
    recurrent = make(WeightDropped)
    recurrent.memory = memory
    for _ in range(2):
        assert check_equal(recurrent).startswith("c: ")


class RowMasked(Plain):
    def initial_state(self, batch_size: int) -> Tensor:
        self.mask = torch.bernoulli(torch.full((batch_size, self.hidden_size), 0.5, dtype=torch.float64))
        return super().initial_state(batch_size)

    def rate(self, x_t: Tensor) -> Any:
        return self.mask


class Counting(Plain):
    def initial_state(self, batch_size: int) -> Tensor:
        self.t = 0
        return super().initial_state(batch_size)

    def rate(self, x_t: Tensor) -> Any:
        self.t += 1
        return 1 / self.t


class Guessing(Plain):
    def rate(self, x_t: Tensor) -> Any:
        return float(np.random.random())


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (RowMasked, "stores a tensor with one row per sample ('mask')"),
        (Counting, "its step changes 't' of the cell"),
        (Guessing, "its step draws random numbers from Python or NumPy"),
    ],
)
def test_what_no_plan_can_hold_runs_in_the_loop_without_a_warning(kind: type[Cell], reason: str) -> None:
    recurrent = make(kind)
    for _ in range(2):
        found = check_equal(recurrent)
        assert found.startswith("loop: ")
        assert reason in found


def test_a_trial_leaves_the_cell_as_it_was() -> None:
    recurrent: Any = make(Counting)
    cell = recurrent.cells[0]
    cell.initial_state(1)
    state = torch.random.get_rng_state()
    recurrent.explain()
    assert cell.t == 0
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_cell_whose_settings_change_at_every_run_is_soon_left_to_the_loop() -> None:
    recurrent: Any = make(Configured)
    recurrent.engine = "auto"
    with torch.no_grad():
        for k in range(20):
            recurrent.cells[0].settings["rate"] = k
            recurrent(torch.zeros(1, 1, 2, dtype=torch.float64))
    assert "keep values that change in a buffer" in recurrent.explain()[0].reason


PARAMETRIZATIONS: dict[str, Callable[[nn.Module], Any]] = {
    "weight_norm": parametrizations.weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "weight_norm by a hook": lambda module: _old(nn.utils.weight_norm, module),
}


def _old(function: Callable[[nn.Module], Any], module: nn.Module) -> Any:
    with pytest.warns(FutureWarning):
        return function(module)


@pytest.mark.parametrize("name", PARAMETRIZATIONS)
def test_parametrized_weights_are_compiled_and_learn(name: str) -> None:
    class Parametrized(Plain):
        def set_up(self) -> None:
            PARAMETRIZATIONS[name](self.recur)

    torch.manual_seed(0)
    recurrent = Recurrent(Parametrized(2, 5)).double()
    assert check_equal(recurrent.eval()).startswith("c: ")


def test_spectral_norm_iterates_once_a_run_in_every_engine() -> None:
    class Spectral(Plain):
        def set_up(self) -> None:
            parametrizations.spectral_norm(self.recur)

    x = torch.randn(2, 6, 2, dtype=torch.float64)
    buffers = []
    for engine in ("auto", "loop"):
        torch.manual_seed(0)
        recurrent = Recurrent(Spectral(2, 5)).double()
        recurrent.engine = engine
        recurrent(x)
        buffers.append([b.clone() for b in recurrent.buffers()])
    for a, b in zip(*buffers, strict=True):
        assert torch.equal(a, b)


def test_what_a_step_sets_on_a_parametrized_cell_is_kept() -> None:
    class Watched(Plain):
        def set_up(self) -> None:
            parametrizations.weight_norm(self.recur)

        def rate(self, x_t: Tensor) -> Any:
            self.last = x_t.shape
            return 0.5

    recurrent: Any = make(Watched)
    recurrent(torch.zeros(2, 3, 2, dtype=torch.float64))
    assert recurrent.cells[0].last == (2, 2)


class Decomposing(Plain):
    """Makes its recurrent weight orthogonal at every step."""

    def set_up(self) -> None:
        self.eye = torch.eye(self.hidden_size, dtype=torch.float64)


class QR(Decomposing):
    def recurrent_part(self, h: Tensor) -> Tensor:
        q, r = torch.linalg.qr(self.recur.weight)
        return h @ q * torch.sign(torch.diagonal(r))


class Cayley(Decomposing):
    def recurrent_part(self, h: Tensor) -> Tensor:
        skew = self.recur.weight - self.recur.weight.T
        return h @ torch.linalg.solve(self.eye + skew, torch.eye(5, dtype=torch.float64) - skew)


class Spectrum(Decomposing):
    def recurrent_part(self, h: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(self.recur.weight + self.recur.weight.T)
        return (h @ vectors * torch.tanh(values)) @ vectors.T


class Exponential(Decomposing):
    def recurrent_part(self, h: Tensor) -> Tensor:
        return h @ torch.matrix_exp(self.recur.weight - self.recur.weight.T)


@pytest.mark.parametrize("kind", [QR, Cayley, Spectrum, Exponential])
def test_decompositions_of_weights_are_computed_before_the_loop(kind: type[Cell]) -> None:
    assert check_equal(make(kind)).startswith("c: ")


class Inner(Cell):
    """Runs a step of one of torch's cells."""

    kind: type[nn.RNNCellBase] = nn.GRUCell

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.inner: Any = self.kind(input_size, hidden_size)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = self.inner(x_t, h)
        return h, h


class InnerLSTM(Inner):
    kind = nn.LSTMCell

    def initial_state(self, batch_size: int) -> Any:
        return super().initial_state(batch_size), super().initial_state(batch_size)

    def step(self, x_t: Tensor, state: Any) -> Any:
        h, c = self.inner(x_t, state)
        return h, (h, c)


@pytest.mark.parametrize("kind", [Inner, InnerLSTM])
def test_torchs_own_cells_are_compiled(kind: type[Cell]) -> None:
    assert check_equal(make(kind)).startswith("c: ")


class FewRows(Plain):
    """Stores an initial state for at most four samples."""

    def set_up(self) -> None:
        self.first: Tensor
        self.register_buffer("first", torch.zeros(4, self.hidden_size))

    def initial_state(self, batch_size: int) -> Tensor:
        return self.first[:batch_size]


@pytest.mark.parametrize("engine", ["auto", "loop", "unrolled"])
def test_a_first_state_with_too_few_rows_is_told_before_anything_runs(engine: str) -> None:
    recurrent = make(FewRows)
    recurrent.engine = engine
    recurrent(torch.zeros(3, 2, 2, dtype=torch.float64))
    with pytest.raises(CellError, match=r"FewRows.initial_state must .* batch of 2000 its tensor 0 is \(4, 5\)"):
        recurrent(torch.zeros(2000, 2, 2, dtype=torch.float64))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (lambda h: h[:, :2], r"shapes \[\(1, 3, 5\)\]\. Got \[\(1, 2, 5\)\]"),
        (lambda h: h[:, :, :4], r"Got \[\(1, 3, 4\)\]"),
        (lambda h: (h, h), r"Got \[\(1, 3, 5\), \(1, 3, 5\)\]"),
        (lambda h: "state", "Got"),
    ],
)
def test_a_state_of_other_shapes_is_refused(state: Callable[[Tensor], Any], message: str) -> None:
    recurrent, x = make(Plain), torch.zeros(3, 2, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match=message):
        recurrent(x, state=state(torch.zeros(1, 3, 5, dtype=torch.float64)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.complex128])
def test_a_state_of_another_type_is_never_read_as_the_cells(dtype: torch.dtype) -> None:
    recurrent, x = make(Plain), torch.randn(3, 2, 2, dtype=torch.float64)
    recurrent(x)
    state = torch.ones(1, 3, 5).to(dtype)

    def run(engine: str) -> Any:
        recurrent.engine = engine
        try:
            return recurrent(x, state=state)[0]
        except RuntimeError as error:
            return str(error)

    found, expected = run("auto"), run("loop")
    assert torch.equal(found, expected) if isinstance(expected, Tensor) else found == expected


class Squeezing(Plain):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        output, h = super().step(x_t, h)
        return output.squeeze(), h


@pytest.mark.parametrize("engine", ["auto", "loop"])
def test_a_step_that_squeezes_a_batch_of_one_is_told(engine: str) -> None:
    recurrent = make(Squeezing)
    recurrent.engine = engine
    recurrent(torch.zeros(3, 2, 2, dtype=torch.float64))
    with pytest.raises(CellError, match=r"its output, shape \(1, 5\) for a batch of 1, got \(5,\)"):
        recurrent(torch.zeros(1, 2, 2, dtype=torch.float64))


def test_a_step_that_cannot_be_repeated_is_refused_where_it_would_be() -> None:
    recurrent = make(Counting)
    recurrent.memory = "recompute"
    with pytest.raises(CellError, match="changes 't' of the cell, so its steps cannot be run a second time"):
        recurrent(torch.zeros(2, 9, 2, dtype=torch.float64))


class Reservoir(Cell):
    """Has buffers only, and the initial state that every cell inherits."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.weight: Tensor
        self.register_buffer("order", torch.arange(hidden_size))
        self.register_buffer("weight", torch.randn(input_size + hidden_size, hidden_size))

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(torch.cat([x_t, h], dim=1) @ self.weight)
        return h, h


def test_a_cell_of_buffers_alone_has_their_type() -> None:
    outputs, state = Recurrent(Reservoir(2, 5).double())(torch.randn(3, 4, 2, dtype=torch.float64))
    assert outputs.dtype == state.dtype == torch.float64


class Wide(Plain):
    """Its state is as wide as its input."""

    def initial_state(self, batch_size: int) -> Any:
        h = super().initial_state(batch_size)
        return h, h.new_zeros(batch_size, self.input_size)

    def step(self, x_t: Tensor, state: Any) -> Any:
        output, h = super().step(x_t, state[0])
        return output, (h, x_t)


def test_layers_whose_states_differ_in_shape_are_refused_when_they_are_stacked() -> None:
    Recurrent(Wide(2, 5), bidirectional=True)(torch.zeros(2, 3, 2))
    with pytest.raises(
        CellError, match=r"cannot be stacked: .* \[\(5,\), \(2,\)\] in the first layer and \[\(5,\), \(5,\)\]"
    ):
        Recurrent(Wide(2, 5), num_layers=2)


def test_a_parameter_may_be_called_cls() -> None:
    class Named(Plain):
        def __init__(self, input_size: int, hidden_size: int, cls: int = 1) -> None:
            super().__init__(input_size, hidden_size)
            self.cls = cls

    cells: Any = Recurrent(Named(2, 5, cls=4), num_layers=2).cells
    assert [cell.cls for cell in cells] == [4, 4]


def test_dropout_between_layers_drops_the_same_outputs_in_every_engine() -> None:
    x = torch.randn(3, 9, 2, dtype=torch.float64)
    torch.manual_seed(0)
    recurrent = Recurrent(Plain(2, 5).double(), num_layers=2, dropout=0.5)
    found = []
    for engine in ("auto", "loop"):
        recurrent.engine = engine
        torch.manual_seed(1)
        found.append(recurrent(x)[0])
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)


def test_normalising_one_unit_raises_no_false_alarm() -> None:
    class Normed(Plain):
        def set_up(self) -> None:
            self.norm = nn.LayerNorm(self.hidden_size)

        def rate(self, x_t: Tensor) -> Any:
            return self.norm(self.input(x_t))

    torch.manual_seed(0)
    recurrent = Recurrent(Normed(2, 1))
    recurrent(torch.randn(5, 4, 2))[0].sum().backward()
    assert recurrent.explain()[0].engine == "c"


def test_explain_says_what_ran_last() -> None:
    recurrent, x = make(Plain), torch.zeros(2, 3, 2, dtype=torch.float64)
    assert recurrent.explain()[0].engine == "c"
    recurrent.engine = "loop"
    recurrent(x)
    recurrent.engine = "auto"
    assert recurrent.explain()[0].engine == "loop"
    assert recurrent.explain(sizes=(2, 3))[0].engine == "c"
    recurrent(x)
    assert recurrent.explain()[0].engine == "c"
