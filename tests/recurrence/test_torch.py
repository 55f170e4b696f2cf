"""Comparison with torch's modules: outputs, states and gradients, padded and packed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqpipe.recurrence import Recurrent

MODULES: dict[str, Any] = {
    "tanh": nn.RNN,
    "relu": lambda *a, **k: nn.RNN(*a, nonlinearity="relu", **k),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}
LENGTHS = torch.tensor([7, 2, 1, 5])


def tensors(state: Any) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def pair(kind: str, num_layers: int, bidirectional: bool, engine: str = "auto") -> tuple[Any, Recurrent, Tensor]:
    torch.manual_seed(0)
    module = MODULES[kind](3, 5, num_layers, batch_first=True, bidirectional=bidirectional).double()
    ours = Recurrent.from_torch(module)
    ours.engine = engine
    return module, ours, torch.randn(4, 7, 3).double()


def packed(module: Any, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
    outputs, state = module(pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False), state)
    return pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])[0], state


def loss(outputs: Tensor, state: Any) -> Tensor:
    return outputs.square().sum() + sum(s.cos().sum() for s in tensors(state))


@pytest.mark.parametrize("engine", ["auto", "loop", "unrolled"])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("kind", MODULES)
def test_a_copy_of_torchs_module_gives_its_outputs_states_and_gradients(
    kind: str, num_layers: int, bidirectional: bool, ragged: bool, engine: str
) -> None:
    module, ours, x = pair(kind, num_layers, bidirectional, engine)
    state = tuple(torch.randn(num_layers * (1 + bidirectional), 4, 5).double() for _ in range(1 + (kind == "lstm")))
    given = state if kind == "lstm" else state[0]
    x_theirs, x_ours = x.clone().requires_grad_(), x.clone().requires_grad_()
    expected = packed(module, x_theirs, given) if ragged else module(x_theirs, given)
    found = ours(x_ours, LENGTHS if ragged else None, given)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    loss(*expected).backward()
    loss(*found).backward()
    torch.testing.assert_close(x_ours.grad, x_theirs.grad, rtol=0, atol=1e-11)
    gradients = [p.grad for p in module.parameters()]
    torch.testing.assert_close([p.grad for p in ours.parameters()], gradients, rtol=0, atol=1e-11)


def test_a_copy_shares_no_weight_with_its_model() -> None:
    module, ours, x = pair("gru", 1, False)
    before = ours(x)[0]
    nn.init.zeros_(module.weight_hh_l0)
    assert torch.equal(ours(x)[0], before)


def test_a_copy_keeps_dropout_and_type() -> None:
    ours = Recurrent.from_torch(nn.LSTM(3, 5, 2, dropout=0.25, batch_first=True))
    assert ours.dropout.p == 0.25
    assert {p.dtype for p in ours.parameters()} == {torch.float32}


@pytest.mark.parametrize("module", [nn.LSTM(3, 5, proj_size=2), nn.GRU(3, 5, bias=False)])
def test_a_module_with_projections_or_without_biases_is_refused(module: Any) -> None:
    with pytest.raises(ValueError, match="Only modules with bias and without proj_size can be copied"):
        Recurrent.from_torch(module)
