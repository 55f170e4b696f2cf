"""`check_engine` passes seqpipe's engines, and names the fault of one that differs from the plain loop."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from seqpipe import Cell, GRUCell, RNNCell
from seqpipe.recurrence import CompiledEngine, FusedEngine, LoopEngine, ScanEngine, TorchEngine, UnrolledEngine
from seqpipe.testing import CheckError, check_engine


@pytest.mark.parametrize("engine", [LoopEngine, FusedEngine, ScanEngine, UnrolledEngine, TorchEngine], ids=str)
def test_seqpipes_engines_pass(engine: Any) -> None:
    check_engine(engine())


@pytest.mark.usefixtures("compiled")
def test_the_compiled_engine_passes() -> None:
    check_engine(CompiledEngine())


class Half(LoopEngine):
    """Gives half of each output."""

    def run(self, cell: Cell, x: Tensor, valid: Any, state: Any) -> Any:
        outputs, state = super().run(cell, x, valid, state)
        return outputs / 2, state


class KeepsWeights(LoopEngine):
    """Runs the weights of the first run for ever."""

    def __init__(self) -> None:
        self.first: dict[int, dict[str, Tensor]] = {}

    def run(self, cell: Cell, x: Tensor, valid: Any, state: Any) -> Any:
        weights = self.first.setdefault(id(cell), {name: p.detach().clone() for name, p in cell.named_parameters()})
        own = {name: p.detach().clone() for name, p in cell.named_parameters()}
        if torch.is_grad_enabled():
            return super().run(cell, x, valid, state)
        cell.load_state_dict(weights)
        try:
            return super().run(cell, x, valid, state)
        finally:
            cell.load_state_dict(own)


class DetachesState(LoopEngine):
    def run(self, cell: Cell, x: Tensor, valid: Any, state: Any) -> Any:
        outputs, after = super().run(cell, x, valid, state)
        return outputs, after.detach() if isinstance(after, Tensor) else tuple(t.detach() for t in after)


class ForgetsState(LoopEngine):
    def run(self, cell: Cell, x: Tensor, valid: Any, state: Any) -> Any:
        return super().run(cell, x, valid, cell.initial_state(len(x)))


class ReadsPadding(LoopEngine):
    reads_padding = False

    def run(self, cell: Cell, x: Tensor, valid: Any, state: Any) -> Any:
        return super().run(cell, x + 0 * x.sum(), valid, state)


class RefusesByFalse(LoopEngine):
    def refuses(self, cell: Cell) -> Any:
        return False


class TakesNothing(LoopEngine):
    def refuses(self, cell: Cell) -> str:
        return "not today"


FAULTS: dict[Any, tuple[str, str]] = {
    Half: ("results_equal_the_loop", "The outputs of RNNCell in torch.float64 for lengths None: a difference of"),
    KeepsWeights: ("changed_weights_are_read", "After a change of its weights the outputs of RNNCell"),
    DetachesState: ("gradients_equal_the_loop", "A gradient of RNNCell"),
    ForgetsState: ("states_are_carried_on", "In two calls the outputs of RNNCell"),
    ReadsPadding: ("padding_is_not_read", "With NaN in the padding the result of RNNCell"),
    RefusesByFalse: ("refuses_or_takes_each_cell", "return None, or the reason as a str"),
    TakesNothing: ("refuses_or_takes_each_cell", "It takes none of the cells"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_found_and_named(fault: Any) -> None:
    check, words = FAULTS[fault]
    with pytest.raises(CheckError, match=words):
        check_engine(fault(), cells=[RNNCell, GRUCell], include=[check])


def test_the_report_says_which_cells_are_taken() -> None:
    report = check_engine(ScanEngine())
    assert "MinGRUCell: taken" in report["refuses_or_takes_each_cell"].message
    assert "GRUCell: refused (" in report["refuses_or_takes_each_cell"].message
