"""Each cell over several steps, against its paper's equations in numpy."""

import numpy as np
import pytest
import seqpipe_classic as classic
import torch

from seqpipe import Cell, Recurrent

N_STEPS, N_INPUTS, N = 7, 3, 5


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def norm(z: np.ndarray, a: np.ndarray, b: np.ndarray | float = 0.0) -> np.ndarray:
    return (z - z.mean(axis=1, keepdims=True)) / np.sqrt(z.var(axis=1, keepdims=True) + 1e-5) * a + b


def peephole_lstm(w: dict, x: list) -> list:
    y, c, outputs = np.zeros((len(x[0]), N)), 0.0, []
    W, R, b = (np.split(w[name], 4) for name in ("W.weight", "R.weight", "W.bias"))
    for x_t in x:
        z, i, f, o = (x_t @ W[k].T + y @ R[k].T + b[k] for k in range(4))
        i, f = sigmoid(i + w["p_i"] * c), sigmoid(f + w["p_f"] * c)
        c = np.tanh(z) * i + c * f
        y = np.tanh(c) * sigmoid(o + w["p_o"] * c)
        outputs.append(y)
    return outputs


def coupled_lstm(w: dict, x: list) -> list:
    y, c, outputs = np.zeros((len(x[0]), N)), 0.0, []
    W, R, b = (np.split(w[name], 3) for name in ("W.weight", "R.weight", "W.bias"))
    for x_t in x:
        z, i, o = (x_t @ W[k].T + y @ R[k].T + b[k] for k in range(3))
        i = sigmoid(i + w["p_i"] * c)
        f = 1 - i
        c = np.tanh(z) * i + c * f
        y = np.tanh(c) * sigmoid(o + w["p_o"] * c)
        outputs.append(y)
    return outputs


def layer_norm_lstm(w: dict, x: list) -> list:
    h, c, outputs = np.zeros((len(x[0]), N)), 0.0, []
    for x_t in x:
        gates = norm(h @ w["W_h.weight"].T, w["LN_h.weight"])
        gates += norm(x_t @ w["W_x.weight"].T, w["LN_x.weight"], w["LN_x.bias"])
        f, i, o, g = np.split(gates, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(norm(c, w["LN_c.weight"], w["LN_c.bias"]))
        outputs.append(h)
    return outputs


def mgu(w: dict, x: list) -> list:
    h, outputs = np.zeros((len(x[0]), N)), []
    for x_t in x:
        x_f, x_c = np.split(x_t @ w["input.weight"].T + w["input.bias"], 2, axis=1)
        f = sigmoid(x_f + h @ w["recur_f.weight"].T)
        h = (1 - f) * h + f * np.tanh(x_c + (f * h) @ w["recur_c.weight"].T)
        outputs.append(h)
    return outputs


def indrnn(w: dict, x: list) -> list:
    h, outputs = 0.0, []
    for x_t in x:
        h = np.maximum(x_t @ w["W.weight"].T + w["u"] * h + w["W.bias"], 0)
        outputs.append(h)
    return outputs


def clockwork(w: dict, x: list) -> list:
    """Update modules one by one, with periods 1, 1, 2, 4 and 8 of the five units."""
    T = [1, 1, 2, 4, 8]
    y, outputs = np.zeros((len(x[0]), N)), []
    for t, x_t in enumerate(x):
        before, y = y, y.copy()
        for i in range(N):
            if t % T[i] == 0:
                read = sum(w["W_H.weight"][i, j] * before[:, j] for j in range(N) if T[j] >= T[i])
                y[:, i] = np.tanh(read + x_t @ w["W_I.weight"][i] + w["W_I.bias"][i])
        outputs.append(y)
    return outputs


def echo_state(w: dict, u: list) -> list:
    x, outputs = np.zeros((len(u[0]), N)), []
    for u_t in u:
        x = 0.7 * x + 0.3 * np.tanh(u_t @ w["W_in"].T + x @ w["W"].T + w["b"])
        outputs.append(x)
    return outputs


def narx(w: dict, u: list) -> list:
    """Sum over taps of inputs and outputs, all of which are kept."""
    A, B = np.split(w["A.weight"], 3), np.split(w["B.weight"], 3, axis=1)
    y: list = []
    for t in range(len(u)):
        total = w["B.bias"] + sum(u[t - k] @ A[k].T for k in range(3) if t - k >= 0)
        y.append(np.tanh(total + sum(y[t - k] @ B[k - 1].T for k in (1, 2, 3) if t - k >= 0)))
    return y


def antisymmetric(w: dict, x: list) -> list:
    A = w["W"] - w["W"].T - 0.1 * np.eye(N)
    h, outputs = np.zeros((len(x[0]), N)), []
    for x_t in x:
        h = h + 0.1 * np.tanh(h @ A.T + x_t @ w["V.weight"].T + w["V.bias"])
        outputs.append(h)
    return outputs


def unitary_matrix(w: dict) -> np.ndarray:
    """Multiply the seven factors out."""
    D = [np.diag(np.exp(1j * phases)) for phases in w["D"]]
    v = w["R"][..., 0] + 1j * w["R"][..., 1]
    R = [np.eye(N) - 2 * np.outer(each, each.conj()) / np.vdot(each, each) for each in v]
    F = np.fft.fft(np.eye(N), norm="ortho")
    return D[2] @ R[1] @ F.conj().T @ D[1] @ np.eye(N)[w["Pi"]] @ R[0] @ F @ D[0]


def unitary(w: dict, x: list) -> list:
    W = unitary_matrix(w)
    V = w["V.weight"][:N] + 1j * w["V.weight"][N:]
    h, outputs = np.zeros((len(x[0]), N)), []
    for x_t in x:
        z = h @ W.T + x_t @ V.T
        h = np.where(np.abs(z) + w["b"] >= 0, (np.abs(z) + w["b"]) * z / np.abs(z), 0)
        outputs.append(np.concatenate([h.real, h.imag], axis=1))
    return outputs


def with_random_weights(kind: type[Cell]) -> Cell:
    """Return a cell in which no weight is left at 0 or 1."""
    torch.manual_seed(0)
    cell = kind(N_INPUTS, N).double()
    with torch.no_grad():
        for p in cell.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return cell


def weights(cell: Cell) -> dict:
    return {name: tensor.numpy() for name, tensor in cell.state_dict().items()}


EQUATIONS = [
    (classic.AntisymmetricCell, antisymmetric),
    (classic.ClockworkCell, clockwork),
    (classic.CoupledLSTMCell, coupled_lstm),
    (classic.EchoStateCell, echo_state),
    (classic.IndRNNCell, indrnn),
    (classic.LayerNormLSTMCell, layer_norm_lstm),
    (classic.MGUCell, mgu),
    (classic.NARXCell, narx),
    (classic.PeepholeLSTMCell, peephole_lstm),
    (classic.UnitaryCell, unitary),
]


@pytest.mark.parametrize(("kind", "equations"), EQUATIONS, ids=lambda each: each.__name__)
def test_a_cell_follows_the_equations_of_its_paper(kind: type[Cell], equations) -> None:
    cell = with_random_weights(kind)
    x = torch.randn(4, N_STEPS, N_INPUTS).double()
    with torch.no_grad():
        outputs, _ = Recurrent(cell, engine="loop")(x)
    expected = np.stack(equations(weights(cell), list(x.numpy().swapaxes(0, 1))), axis=1)
    np.testing.assert_allclose(outputs.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_every_cell_of_the_distribution_has_its_equations_here() -> None:
    assert {kind for kind, _ in EQUATIONS} == {spec.factory for spec in classic.seqpipe_cells()}


def test_the_unitary_matrix_is_unitary() -> None:
    W = unitary_matrix(weights(with_random_weights(classic.UnitaryCell)))
    np.testing.assert_allclose(W @ W.conj().T, np.eye(N), atol=1e-13)
