"""Cells that torchrecurrent has too, against its implementations."""

import pytest
import seqpipe_classic as classic
import torch
from torch import Tensor

from seqpipe import Cell

torchrecurrent = pytest.importorskip("torchrecurrent")


def pair(kind: type[Cell], name: str, **settings: object) -> tuple[Cell, torch.nn.Module]:
    """Return a cell and torchrecurrent's, with random weights."""
    torch.manual_seed(0)
    return kind(3, 5).double(), getattr(torchrecurrent, name)(3, 5, **settings).double()


@torch.no_grad()
def assert_same(ours: Cell, theirs: torch.nn.Module, weights: dict[str, Tensor]) -> None:
    theirs.load_state_dict({**theirs.state_dict(), **weights})
    state, other = ours.initial_state(4), None
    for x_t in torch.randn(6, 4, 3).double():
        output, state = ours(x_t, state)
        other = theirs(x_t, other)
        torch.testing.assert_close(output, other[0] if isinstance(other, tuple) else other, rtol=1e-12, atol=1e-12)


def test_antisymmetric() -> None:
    ours, theirs = pair(classic.AntisymmetricCell, "AntisymmetricRNNCell", epsilon=0.1, gamma=0.1)
    assert_same(ours, theirs, {"weight_ih": ours.V.weight, "bias_ih": ours.V.bias, "weight_hh": ours.W})


def test_indrnn() -> None:
    ours, theirs = pair(classic.IndRNNCell, "IndRNNCell", nonlinearity="relu")
    assert_same(ours, theirs, {"weight_ih": ours.W.weight, "bias_ih": ours.W.bias, "vector_u": ours.u})


def test_mgu() -> None:
    ours, theirs = pair(classic.MGUCell, "MGUCell")
    recurrent = torch.cat([ours.recur_f.weight, ours.recur_c.weight])
    assert_same(ours, theirs, {"weight_ih": ours.input.weight, "bias_ih": ours.input.bias, "weight_hh": recurrent})


def test_peephole_lstm() -> None:
    ours, theirs = pair(classic.PeepholeLSTMCell, "PeepholeLSTMCell")
    with torch.no_grad():
        for p in (ours.p_i, ours.p_f, ours.p_o):
            p.normal_()
    in_their_order = {}
    for name, tensor in (("weight_ih", ours.W.weight), ("weight_hh", ours.R.weight), ("bias_ih", ours.W.bias)):
        z, i, f, o = tensor.chunk(4)
        in_their_order[name] = torch.cat([i, f, z, o])
    assert_same(ours, theirs, {**in_their_order, "weight_ph": torch.cat([ours.p_i, ours.p_f, ours.p_o])})
