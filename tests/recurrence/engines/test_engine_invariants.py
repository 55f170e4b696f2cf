"""Invariants of every recurrence, for each engine on each built-in cell that it supports.

Sizes are fixed, since each would be compiled; batches, steps and lengths are drawn.
"""

from __future__ import annotations

import copy
import os
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.exceptions import CompilerError
from seqpipe.plugins import host
from seqpipe.recurrence import Recurrent
from seqpipe.recurrence.compiler.c._toolchain import find_compiler
from seqpipe.testing import _invariants

INPUT_SIZE, HIDDEN_SIZE = 3, 5
few = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
batches = st.integers(1, 4)
# Long enough for several chunks of the scan.
steps = st.one_of(st.integers(2, 6), st.integers(33, 40))


def shipped(kind: str) -> dict[str, Any]:
    return {name: o[0].spec.factory for name, o in host().offers(kind).items() if o[0].is_builtin}


def takes(engine: str, factory: type[Cell]) -> bool:
    if engine in ("graph", "triton"):  # for a GPU: tested in compiler/
        return False
    if engine == "fused":
        return factory(1, 1).torch_kernel() is not None
    return engine != "scan" or factory.linear_coefficients is not Cell.linear_coefficients


CASES = [(e, c) for e in shipped("engine") for c, factory in shipped("cell").items() if takes(e, factory)]
every_case = pytest.mark.parametrize(("engine", "cell"), CASES)
DTYPES = [torch.float32, torch.float64] if "SEQPIPE_SLOW" in os.environ else [torch.float32]  # `make fuzz` takes both
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


@pytest.fixture
def chosen(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every cell that the engine supports."""
    if engine == "c":
        try:
            find_compiler()
        except CompilerError as error:
            pytest.skip(str(error))
    monkeypatch.setenv("SEQPIPE_ENGINE", engine)


def made(engine: str, cell: str, dtype: torch.dtype, **kwargs: Any) -> Recurrent:
    torch.manual_seed(0)
    recurrent = Recurrent(shipped("cell")[cell](INPUT_SIZE, HIDDEN_SIZE).to(dtype), **kwargs).eval()
    assert {choice.engine for choice in recurrent.explain()} == {engine}
    return recurrent


def drawn(data: st.DataObject, dtype: torch.dtype, shortest: int = 0) -> tuple[Tensor, Tensor]:
    """Return a batch and lengths, one of which is its number of steps."""
    batch, n_timesteps = data.draw(batches), data.draw(steps)
    lengths = data.draw(st.lists(st.integers(shortest, n_timesteps), min_size=batch, max_size=batch))
    lengths[-1] = n_timesteps
    return torch.randn(batch, n_timesteps, INPUT_SIZE, dtype=dtype), torch.tensor(lengths)


@every_case
@every_dtype
@pytest.mark.usefixtures("chosen")
@few
@given(data=st.data())
def test_padding_and_what_it_holds_change_no_bit(engine: str, cell: str, dtype: torch.dtype, data: Any) -> None:
    recurrent = made(engine, cell, dtype, bidirectional=True)
    x, lengths = drawn(data, dtype)
    _invariants.check_padding(recurrent, x, lengths, extra=data.draw(st.integers(1, 9)))
    _invariants.check_nan_in_padding(recurrent, x, lengths)


@every_case
@every_dtype
@pytest.mark.usefixtures("chosen")
@few
@given(data=st.data())
def test_a_sequence_does_not_see_its_batch(engine: str, cell: str, dtype: torch.dtype, data: Any) -> None:
    recurrent = made(engine, cell, dtype, bidirectional=True)
    x, lengths = drawn(data, dtype, shortest=1)
    _invariants.check_permutation(recurrent, x, lengths, torch.tensor(data.draw(st.permutations(range(len(x))))))
    _invariants.check_alone_equals_batched(recurrent, x, lengths)


@every_case
@every_dtype
@pytest.mark.usefixtures("chosen")
@few
@given(data=st.data())
def test_it_neither_looks_ahead_nor_forgets_between_chunks(
    engine: str, cell: str, dtype: torch.dtype, data: Any
) -> None:
    recurrent = made(engine, cell, dtype)
    x, _ = drawn(data, dtype)
    t = data.draw(st.integers(1, x.shape[1] - 1))
    _invariants.check_causality(recurrent, x, t - 1)
    _invariants.check_chunks(recurrent, x, t)


@every_case
@pytest.mark.usefixtures("chosen")
def test_gradients_are_those_of_the_outputs_and_copies_run_alike(engine: str, cell: str) -> None:
    recurrent = made(engine, cell, torch.float64)
    x = torch.randn(2, 3, INPUT_SIZE, dtype=torch.float64, requires_grad=True)
    state = recurrent(x)[1]
    tensors = [s.detach().requires_grad_() for s in (state if isinstance(state, tuple) else (state,))]

    def run(x: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        outputs, final = recurrent(x, [3, 2], tensors if isinstance(state, tuple) else tensors[0])
        return (outputs, *final) if isinstance(final, tuple) else (outputs, final)

    torch.autograd.gradcheck(run, (x, *tensors))
    loaded = made(engine, cell, torch.float64)
    torch.nn.init.zeros_(next(loaded.parameters()))
    loaded.load_state_dict(copy.deepcopy(recurrent.state_dict()))
    assert torch.equal(loaded(x)[0], recurrent(x)[0])
