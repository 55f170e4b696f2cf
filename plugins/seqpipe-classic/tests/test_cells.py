"""seqpipe's checks over all cells, and what is particular to one."""

import numpy as np
import pytest
import seqpipe_classic as classic
import torch

from seqpipe import Cell, Recurrent, SequenceClassifier
from seqpipe.plugins import host
from seqpipe.testing import check_cell, parametrize_with_cell_checks

SPECS = classic.seqpipe_cells()


@parametrize_with_cell_checks([spec.factory for spec in SPECS], exclude=["speed_is_graded"])
def test_cells_pass_seqpipes_checks(cell: type[Cell], check: str) -> None:
    check_cell(cell, include=[check])


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (classic.ClockworkCell, {"periods": (1, 3)}),
        (classic.EchoStateCell, {"leak": 1.0, "spectral_radius": 1.2}),
        (classic.NARXCell, {"input_delays": 1, "output_delays": 1}),
    ],
    ids=lambda each: each.__name__ if isinstance(each, type) else "",
)
def test_other_settings_keep_the_protocol(kind: type[Cell], params: dict) -> None:
    check_cell(kind, cell_params=params, include=["siblings_keep_settings", "chunks_equal_the_whole", "engines_agree"])


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_distribution_offers_the_cell_by_name(spec) -> None:
    found = host().find("cell", spec.name, parameter="cell")
    assert found.spec.factory is spec.factory
    assert found.distribution == "seqpipe-classic"


@pytest.mark.parametrize("name", ["mgu", "echo_state"])
def test_an_estimator_takes_the_cell_by_name(name: str) -> None:
    X = np.random.default_rng(0).normal(size=(40, 6, 2))
    y = (X[:, :, 0].mean(axis=1) > 0).astype(int)
    classifier = SequenceClassifier(name, hidden_size=8, random_state=0).fit(X, y)
    assert classifier.score(X, y) > 0.9


# ---- echo state


@pytest.mark.parametrize("size", [1, 30])
def test_the_reservoir_has_the_given_spectral_radius(size: int) -> None:
    torch.manual_seed(0)
    cell = classic.EchoStateCell(2, size, spectral_radius=0.7).double()
    assert np.abs(np.linalg.eigvals(cell.W.numpy())).max() == pytest.approx(0.7, rel=1e-5)


def test_the_reservoir_is_saved_and_not_trained() -> None:
    cell = classic.EchoStateCell(2, 5)
    assert set(cell.state_dict()) == {"W", "W_in", "b"}
    assert not list(cell.parameters())


# ---- clockwork


def test_a_module_keeps_its_state_between_the_steps_of_its_clock() -> None:
    torch.manual_seed(0)
    outputs, (_, t) = Recurrent(classic.ClockworkCell(2, 4, periods=(1, 2, 4, 8)))(torch.randn(3, 9, 2))
    moved = (outputs[:, 1:] != outputs[:, :-1]).all(dim=0).T
    for unit, period in enumerate((1, 2, 4, 8)):
        assert moved[unit].tolist() == [step % period == 0 for step in range(1, 9)]
    assert t.unique().item() == 9


def test_each_sequence_of_a_ragged_batch_has_its_own_clock() -> None:
    _, (_, t) = Recurrent(classic.ClockworkCell(2, 4))(torch.randn(2, 6, 2), lengths=[6, 3])
    assert t[0].flatten().tolist() == [6, 3]


# ---- others


def test_recurrent_weights_of_indrnn_begin_within_the_bound() -> None:
    u = classic.IndRNNCell(2, 500, bound=0.5).u.detach()
    assert float(u.min()) >= 0
    assert 0.4 < float(u.max()) <= 0.5


def test_a_unitary_cell_preserves_the_norm_of_its_state() -> None:
    torch.manual_seed(0)
    cell = classic.UnitaryCell(2, 16).double()
    start = torch.randn(1, 3, 16, dtype=torch.complex128)
    with torch.no_grad():
        outputs, end = Recurrent(cell)(torch.zeros(3, 200, 2).double(), state=start)
    expected = start[0].norm(dim=-1)
    torch.testing.assert_close(end[0].norm(dim=-1), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(outputs.norm(dim=-1), expected[:, None].expand(3, 200), rtol=1e-12, atol=0)


def test_a_unitary_cell_at_rest_has_finite_gradients() -> None:
    torch.manual_seed(0)
    layers = Recurrent(classic.UnitaryCell(2, 4))
    with torch.no_grad():
        layers.cells[0].b.fill_(0.1)
    x = torch.zeros(3, 5, 2)
    x[:, 2] = 1.0
    layers(x.requires_grad_())[0].square().sum().backward()
    assert all(p.grad.isfinite().all() for p in (x, *layers.parameters()))


def test_lstm_gates_begin_so_that_the_state_is_kept() -> None:
    peephole, coupled, normed = (
        kind(2, 3) for kind in (classic.PeepholeLSTMCell, classic.CoupledLSTMCell, classic.LayerNormLSTMCell)
    )
    assert peephole.W.bias.tolist() == [0.0] * 6 + [1.0] * 3 + [0.0] * 3
    assert coupled.W.bias.tolist() == [0.0] * 3 + [-1.0] * 3 + [0.0] * 3
    assert normed.LN_x.bias.tolist() == [1.0] * 3 + [0.0] * 9


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        (classic.AntisymmetricCell, {"epsilon": 0}, "'epsilon' parameter of AntisymmetricCell must be positive. Got 0"),
        (classic.AntisymmetricCell, {"gamma": -1}, "'gamma' parameter of AntisymmetricCell must be at least 0. Got -1"),
        (classic.ClockworkCell, {"periods": (2, 1)}, r"must be increasing positive integers. Got \(2, 1\) instead"),
        (classic.ClockworkCell, {"periods": ()}, r"Got \(\) instead"),
        (classic.EchoStateCell, {"leak": 0}, r"'leak' parameter of EchoStateCell must be in \(0, 1\]. Got 0 instead"),
        (classic.EchoStateCell, {"spectral_radius": 0}, "'spectral_radius' parameter .* must be positive. Got 0"),
        (classic.IndRNNCell, {"bound": 0.0}, "'bound' parameter of IndRNNCell must be positive. Got 0.0 instead"),
        (classic.NARXCell, {"output_delays": 0}, "'output_delays' parameter of NARXCell must be a positive integer."),
    ],
)
def test_settings_out_of_range_are_refused(kind: type[Cell], params: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(2, 3, **params)
