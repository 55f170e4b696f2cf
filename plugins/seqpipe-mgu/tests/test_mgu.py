"""The minimal gated unit, tested against the equations of the paper and with seqpipe's checks."""

import numpy as np
import torch
from seqpipe_mgu import MGUCell

from seqpipe import Cell, SequenceClassifier
from seqpipe.plugins import host
from seqpipe.testing import check_cell, parametrize_with_cell_checks


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def test_a_step_follows_equations_9_to_11_of_the_paper() -> None:
    torch.manual_seed(0)
    cell = MGUCell(3, 5).double()
    x, h = torch.randn(4, 3).double(), torch.randn(4, 5).double()
    w = {name: p.detach().numpy() for name, p in cell.named_parameters()}
    from_x = x.numpy() @ w["input.weight"].T + w["input.bias"]
    f = sigmoid(from_x[:, :5] + h.numpy() @ w["recur_f.weight"].T)
    c = np.tanh(from_x[:, 5:] + (f * h.numpy()) @ w["recur_c.weight"].T)
    expected = (1 - f) * h.numpy() + f * c
    output, state = cell(x, h)
    np.testing.assert_allclose(output.detach().numpy(), expected, rtol=1e-12)
    assert state is output


@parametrize_with_cell_checks([MGUCell])
def test_the_cell_passes_seqpipes_checks(cell: type[Cell], check: str) -> None:
    check_cell(cell, include=[check])


def test_the_distribution_offers_the_cell_by_name() -> None:
    found = host().find("cell", "mgu", parameter="cell")
    assert found.spec.factory is MGUCell
    assert found.distribution == "seqpipe-mgu"


def test_an_estimator_takes_the_cell_by_name() -> None:
    X = np.random.default_rng(0).normal(size=(40, 6, 2))
    y = (X[:, :, 0].mean(axis=1) > 0).astype(int)
    classifier = SequenceClassifier("mgu", hidden_size=8, random_state=0).fit(X, y)
    assert classifier.score(X, y) > 0.9
