"""Engines of plug-ins: tried first, checked before their first use, and unable to break a run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import metadata
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from seqpipe.cells import Cell, GRUCell, State
from seqpipe.exceptions import PluginError, PluginWarning, UnknownNameError
from seqpipe.hookspecs import hookimpl
from seqpipe.plugins import ENTRY_POINT_GROUP, PluginHost
from seqpipe.recurrence import Choice, Engine, LoopEngine, Recurrent, ValidSteps
from seqpipe.recurrence.engines import _catalogue
from seqpipe.specs import EngineSpec

Install = Callable[..., None]


class Counting(Engine):
    """Runs the plain loop, and counts its runs."""

    name = "counting"
    runs = 0

    def refuses(self, cell: Cell) -> str | None:
        return None if isinstance(cell, GRUCell) else "it counts GRUs only"

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        type(self).runs += 1
        return LoopEngine().run(cell, x, valid, state)


class Wrong(Counting):
    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        outputs, state = super().run(cell, x, valid, state)
        return outputs + 0.1, state


class WrongGradient(Counting):
    """Correct except for the gradients."""

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        return super().run(cell, x.detach(), valid, state)


class NotANumber(Counting):
    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        outputs, state = super().run(cell, x, valid, state)
        return outputs, state * torch.nan


class Misshapen(Counting):
    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        outputs, state = super().run(cell, x, valid, state)
        return outputs, state[:1]


class TakesAny(Counting):
    def refuses(self, cell: Cell) -> str | None:
        return None


class Miscounting(TakesAny):
    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        outputs, (h, n) = super().run(cell, x, valid, state)
        return outputs, (h, n + 1)


class Numbered(Cell):
    """Sums inputs with a decay by the step number, an integer in its state."""

    def initial_state(self, batch_size: int) -> State:
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, dtype=torch.int64)

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        h, n = state
        h = h + x_t.sum(dim=1, keepdim=True) / (n[:, None] + 1)
        return h, (h, n + 1)


class Raising(Counting):
    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        raise OSError("device on fire")


class FailsOnLongOnes(Counting):
    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        if x.shape[1] > 50:
            raise OSError("too long")
        return super().run(cell, x, valid, state)


class OutOfMemory(Counting):
    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        if x.shape[1] > 50:
            raise MemoryError("no room")
        return super().run(cell, x, valid, state)


class NeverRoom(Counting):
    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        raise MemoryError("no room")


class Scaled(Cell):
    """A buffer that requires a gradient."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.register_buffer("scale", torch.ones(hidden_size, requires_grad=True))

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.scale * h + x_t.sum(dim=1, keepdim=True))
        return h, h


class ForgetsBuffers(TakesAny):
    """Correct except for the gradient of a buffer."""

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        buffers = dict(cell.named_buffers())
        frozen = {name: buffer.detach() for name, buffer in buffers.items()}
        vars(cell)["_buffers"].update(frozen)
        try:
            return super().run(cell, x, valid, state)
        finally:
            vars(cell)["_buffers"].update(buffers)


class Drawing(TakesAny):
    """Correct, but draws an unused random number."""

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        torch.rand(1)
        return super().run(cell, x, valid, state)


class Undecided(Counting):
    def refuses(self, cell: Cell) -> str | None:
        raise KeyError("which cell?")


class Bare:
    """Implements the protocol without being a subclass, and generates no code."""

    name = "something else"

    def refuses(self, cell: Cell) -> str | None:
        return None

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        return LoopEngine().run(cell, x, valid, state)


def unmade() -> Engine:
    raise ImportError("no driver")


def only(recurrent: Recurrent, **kwargs: Any) -> Choice:
    (choice,) = recurrent.explain(**kwargs)
    return choice


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Replace the installed distributions by some that offer engines."""
    monkeypatch.setenv("SEQPIPE_ENGINE", "auto")
    monkeypatch.setenv("SEQPIPE_CC", "no-such-compiler")

    def install(factory: Callable[[], Any], name: str = "counting", distributions: tuple[str, ...] = ("acme",)) -> None:
        for distribution in distributions:
            module = ModuleType(distribution)
            module.seqpipe_engines = hookimpl(specname="seqpipe_engines")(lambda: [EngineSpec(name, lambda: factory())])  # type: ignore[attr-defined]
            monkeypatch.setitem(sys.modules, distribution, module)
        host = PluginHost([metadata.EntryPoint("it", d, ENTRY_POINT_GROUP) for d in distributions])
        monkeypatch.setattr(_catalogue, "host", lambda: host)

    return install


def test_a_plug_ins_engine_runs_before_all_others_what_it_takes(install: Install) -> None:
    install(Counting)
    recurrent, x = Recurrent(GRUCell(3, 11)), torch.randn(2, 4, 3)
    reason = "offered by the plug-in 'acme', whose engines have priority over seqpipe's own"
    assert only(recurrent) == Choice(0, "forward", "counting", reason)
    before = Counting.runs
    recurrent(x)
    assert Counting.runs == before + 1


def test_a_cell_that_counts_in_its_state_is_checked_too(install: Install) -> None:
    install(TakesAny)
    assert only(Recurrent(Numbered(3, 5))).engine == "counting"


def test_an_engine_that_counts_wrong_is_left_out(install: Install) -> None:
    install(Miscounting)
    with pytest.warns(RuntimeWarning, match="'counting' .* is not used for Numbered: its results differ"):
        assert only(Recurrent(Numbered(3, 5))).engine != "counting"


def test_the_gradient_of_a_buffer_is_compared_too(install: Install) -> None:
    install(ForgetsBuffers)
    with pytest.warns(RuntimeWarning, match="'counting' .* is not used for Scaled: its results differ"):
        assert only(Recurrent(Scaled(3, 5))).engine != "counting"


def test_the_trial_leaves_the_random_numbers_where_they_were(install: Install) -> None:
    install(Drawing)
    recurrent = Recurrent(GRUCell(3, 11))
    before = torch.get_rng_state()
    assert only(recurrent).engine == "counting"
    assert torch.equal(torch.get_rng_state(), before)


def test_what_it_refuses_goes_on_to_the_others_with_its_reason(install: Install) -> None:
    install(Counting)
    choice = only(Recurrent(_Own(3, 5)))
    assert choice.engine == "torch"
    assert choice.reason.startswith("not counting: it counts GRUs only; not c: ")


class _Own(Cell):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = torch.nn.Linear(input_size, hidden_size)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(h + self.input(x_t))
        return h, h


def test_the_environment_variable_takes_its_name(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(Counting)
    monkeypatch.setenv("SEQPIPE_ENGINE", "counting")
    assert only(Recurrent(GRUCell(3, 11))).engine == "counting"
    assert only(Recurrent(_Own(3, 5))) == Choice(
        0, "forward", "loop", "SEQPIPE_ENGINE=counting; not counting: it counts GRUs only"
    )


def test_an_engine_need_not_be_a_subclass(install: Install) -> None:
    install(Bare, name="bare")
    choice = only(Recurrent(GRUCell(3, 11)), code=True)
    assert (choice.engine, choice.code) == ("bare", "")


@pytest.mark.parametrize(
    ("engine", "fault"),
    [
        (Wrong, "its results differ from the plain loop's by"),
        (WrongGradient, "its results differ from the plain loop's by"),
        (NotANumber, "its results differ from the plain loop's by inf"),
        (Misshapen, "its results differ in shape, dtype or device"),
        (Raising, r"it fails \(OSError: device on fire\)"),
        (Undecided, r"its method refuses fails \(KeyError: 'which cell\?'\)"),
    ],
)
def test_an_engine_that_is_wrong_warns_once_and_the_next_one_runs(
    install: Install, engine: Callable[[], Engine], fault: str
) -> None:
    install(engine)
    cell, x = GRUCell(3, 11), torch.randn(2, 4, 3)
    recurrent = Recurrent(cell)
    with pytest.warns(RuntimeWarning, match=f"'counting' of the plug-in 'acme' is not used for GRUCell: {fault}"):
        outputs, _ = recurrent(x)
    torch.testing.assert_close(outputs, Recurrent(cell, engine="loop")(x)[0])
    recurrent(x)
    assert only(recurrent).engine == "fused"
    assert only(recurrent).reason.startswith("not counting: it")


def test_a_cell_of_other_sizes_is_checked_anew(install: Install) -> None:
    install(Wrong)
    with pytest.warns(RuntimeWarning, match="is not used for GRUCell"):
        Recurrent(GRUCell(3, 11))(torch.randn(2, 4, 3))
    with pytest.warns(RuntimeWarning, match="is not used for GRUCell"):
        Recurrent(GRUCell(3, 12))(torch.randn(2, 4, 3))


def test_an_engine_that_fails_later_leaves_the_run_to_the_loop_and_the_next_to_others(install: Install) -> None:
    install(FailsOnLongOnes)
    cell, x = GRUCell(3, 11), torch.randn(2, 60, 3)
    recurrent = Recurrent(cell)
    recurrent(x[:, :10])
    with pytest.warns(RuntimeWarning, match=r"is not used for GRUCell: it fails \(OSError: too long\)"):
        outputs, _ = recurrent(x)
    torch.testing.assert_close(outputs, Recurrent(cell, engine="loop")(x)[0])
    assert only(recurrent).reason == "not counting: it fails (OSError: too long)"
    recurrent(x)
    assert only(recurrent).engine == "fused"


def test_a_lack_of_memory_is_for_the_caller_to_handle(install: Install) -> None:
    install(OutOfMemory)
    recurrent = Recurrent(GRUCell(3, 11))
    with pytest.raises(MemoryError, match="no room"):
        recurrent(torch.randn(2, 60, 3))
    assert only(recurrent).engine == "counting"


def test_a_lack_of_memory_in_the_trial_is_no_fault_of_the_engine(install: Install) -> None:
    install(NeverRoom)
    recurrent = Recurrent(GRUCell(3, 11))
    for _ in range(2):
        with pytest.raises(MemoryError, match="no room"):
            recurrent(torch.randn(2, 4, 3))


def test_an_engine_that_cannot_be_made_warns_once_and_is_passed_over(install: Install) -> None:
    install(unmade)
    recurrent = Recurrent(GRUCell(3, 11))
    said = r"'counting' of the plug-in 'acme' is not used: it cannot be created \(ImportError: no driver\)"
    with pytest.warns(RuntimeWarning, match=said):
        recurrent(torch.randn(2, 4, 3))
    assert only(recurrent).reason.startswith("not counting: it cannot be created")


def test_a_name_that_two_offer_is_used_by_neither_and_named_with_both(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(Counting, distributions=("acme", "other"))
    recurrent = Recurrent(GRUCell(3, 11))
    with pytest.warns(RuntimeWarning, match="'counting' is offered by 'acme' and 'other': none is used"):
        assert only(recurrent).engine == "fused"
    monkeypatch.setenv("SEQPIPE_ENGINE", "counting")
    with pytest.raises(PluginError, match="engine 'counting' is offered by 'acme' and 'other'"):
        recurrent(torch.randn(2, 4, 3))


def test_a_plug_in_cannot_take_the_place_of_an_engine_of_seqpipes(install: Install) -> None:
    install(Wrong, name="fused")
    with pytest.warns(PluginWarning, match="'acme' offers the engine 'fused', which is the name of seqpipe's own"):
        assert only(Recurrent(GRUCell(3, 11))).engine == "fused"


def test_an_unknown_engine_gets_those_that_there_are(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(Counting)
    monkeypatch.setenv("SEQPIPE_ENGINE", "countin")
    with pytest.raises(UnknownNameError, match=r"\['c', 'counting', .*\]. Got 'countin'.* Did you mean 'counting'\?"):
        Recurrent(GRUCell(3, 11))(torch.zeros(1, 2, 3))


def test_the_name_auto_is_taken() -> None:
    with pytest.raises(ValueError, match="'name' of EngineSpec must not be 'auto'"):
        EngineSpec("auto", Counting)
