"""Every cell against its published equations in numpy, and against torch's own cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seqpipe.cells import Cell, GRUCell, LSTMCell, MinGRUCell, MLPCell, RNNCell
from seqpipe.plugins import host

N_FEATURES, WIDTH = 3, 5
Weights = dict[str, NDArray[Any]]


def sigmoid(z: NDArray[Any]) -> NDArray[Any]:
    return 1 / (1 + np.exp(-z))


def elman(f: Callable[..., NDArray[Any]], w: Weights, x: NDArray[Any], h: NDArray[Any]) -> list[NDArray[Any]]:
    h = f(x @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"])
    return [h, h]


def lstm(w: Weights, x: NDArray[Any], h: NDArray[Any], c: NDArray[Any]) -> list[NDArray[Any]]:
    z = x @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"]
    i, f, g, o = np.split(z, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return [h, h, c]


def gru(w: Weights, x: NDArray[Any], h: NDArray[Any]) -> list[NDArray[Any]]:
    W_r, W_z, W_n = np.split(w["weight_ih"], 3)
    U_r, U_z, U_n = np.split(w["weight_hh"], 3)
    b_r, b_z, b_n = np.split(w["bias_ih"], 3)
    c_r, c_z, c_n = np.split(w["bias_hh"], 3)
    r = sigmoid(x @ W_r.T + b_r + h @ U_r.T + c_r)
    z = sigmoid(x @ W_z.T + b_z + h @ U_z.T + c_z)
    n = np.tanh(x @ W_n.T + b_n + r * (h @ U_n.T + c_n))
    h = (1 - z) * n + z * h
    return [h, h]


def deep_transition(w: Weights, x: NDArray[Any], h: NDArray[Any]) -> list[NDArray[Any]]:
    def phi(a: NDArray[Any]) -> NDArray[Any]:
        return np.where(a > 0, a, 0.01 * a)

    a = phi(np.concatenate([x, h], axis=1) @ w["first.weight"].T + w["first.bias"])
    a = phi(a @ w["second.weight"].T + w["second.bias"])
    h = a @ w["third.weight"].T + w["third.bias"]
    return [h, h]


def min_gru(w: Weights, x: NDArray[Any], h: NDArray[Any]) -> list[NDArray[Any]]:
    W_z, W_h = np.split(w["input.weight"], 2)
    b_z, b_h = np.split(w["input.bias"], 2)
    z = sigmoid(x @ W_z.T + b_z)
    h = (1 - z) * h + z * (x @ W_h.T + b_h)
    return [h, h]


EQUATIONS: dict[str, tuple[Callable[[int, int], Cell], Callable[..., list[NDArray[Any]]]]] = {
    "rnn": (RNNCell, lambda *a: elman(np.tanh, *a)),
    "rnn with relu": (
        lambda i, h: RNNCell(i, h, "relu"),
        lambda *a: elman(lambda z: np.maximum(z, 0), *a),
    ),
    "rnn with sigmoid": (lambda i, h: RNNCell(i, h, "sigmoid"), lambda *a: elman(sigmoid, *a)),
    "lstm": (LSTMCell, lstm),
    "gru": (GRUCell, gru),
    "mlp": (MLPCell, deep_transition),
    "min_gru": (MinGRUCell, min_gru),
}
SHIPPED = [offers[0].spec.name for offers in host().offers("cell").values() if offers[0].distribution == "seqpipe"]


def drawn(factory: Callable[[int, int], Cell]) -> Cell:
    """A cell of float64 whose every weight and bias was drawn, so that none hides behind a zero."""
    torch.manual_seed(0)
    cell = factory(N_FEATURES, WIDTH).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return cell


def tensors(state: Any) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("name", EQUATIONS)
def test_a_step_follows_the_published_equations(name: str) -> None:
    factory, equations = EQUATIONS[name]
    cell = drawn(factory)
    x = torch.randn(4, N_FEATURES).double()
    state = tuple(torch.randn_like(s) for s in tensors(cell.initial_state(4)))
    weights = {key: p.detach().numpy() for key, p in cell.named_parameters()}
    output, after = cell(x, state if len(state) > 1 else state[0])
    for found, expected in zip([output, *tensors(after)], equations(weights, x.numpy(), *(s.numpy() for s in state))):
        np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-12, atol=1e-14)


def test_every_shipped_cell_has_its_equations_here() -> None:
    assert set(SHIPPED) <= set(EQUATIONS)


TORCH_CELLS: dict[str, tuple[Callable[[], nn.Module], Callable[[int, int], Cell]]] = {
    "tanh": (lambda: nn.RNNCell(N_FEATURES, WIDTH), RNNCell),
    "relu": (lambda: nn.RNNCell(N_FEATURES, WIDTH, nonlinearity="relu"), lambda i, h: RNNCell(i, h, "relu")),
    "lstm": (lambda: nn.LSTMCell(N_FEATURES, WIDTH), LSTMCell),
    "gru": (lambda: nn.GRUCell(N_FEATURES, WIDTH), GRUCell),
}


@pytest.mark.parametrize("name", TORCH_CELLS)
def test_a_cell_takes_the_weights_of_torchs_and_gives_what_it_gives(name: str) -> None:
    make_torchs, factory = TORCH_CELLS[name]
    torch.manual_seed(1)
    torchs, ours = make_torchs().double(), factory(N_FEATURES, WIDTH).double()
    ours.load_state_dict(torchs.state_dict())
    x = torch.randn(4, N_FEATURES).double()
    state = tuple(torch.randn_like(s) for s in tensors(ours.initial_state(4)))
    given = state if len(state) > 1 else state[0]
    output, after = ours(x, given)
    expected = tensors(torchs(x, given))
    torch.testing.assert_close(output, expected[0], rtol=1e-12, atol=1e-14)
    for found, wanted in zip(tensors(after), expected):
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", EQUATIONS)
def test_a_step_without_a_state_starts_from_the_initial_one(name: str) -> None:
    cell = drawn(EQUATIONS[name][0])
    x = torch.randn(4, N_FEATURES).double()
    assert torch.equal(cell(x)[0], cell(x, cell.initial_state(4))[0])
    assert not any(s.any() for s in tensors(cell.initial_state(4)))


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_the_activation_bounds_what_a_step_gives(activation: str) -> None:
    output, _ = RNNCell(N_FEATURES, WIDTH, activation=activation)(100 * torch.randn(50, N_FEATURES))
    low, high = {"tanh": (-1, 1), "relu": (0, torch.inf), "sigmoid": (0, 1)}[activation]
    assert low <= output.min() < output.max() <= high
