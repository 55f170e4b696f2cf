"""The loss at chosen steps, against plain loops and against autograd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from seqpipe.cells import RNNCell
from seqpipe.networks import StepNetwork
from seqpipe.recurrence import Recurrent
from seqpipe.training import StepLoss, chosen_steps

LENGTHS = torch.tensor([5, 2, 4])
MSE = nn.MSELoss(reduction="none")
ENTROPY = nn.CrossEntropyLoss(reduction="none")


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("loss_on", "expected"),
    [
        ("all", [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 1, 0]]),
        ("last", [[0, 0, 0, 0, 1], [0, 1, 0, 0, 0], [0, 0, 0, 1, 0]]),
        (3, [[0, 0, 1, 1, 1], [1, 1, 0, 0, 0], [0, 1, 1, 1, 0]]),
        (lambda n: np.arange(n) % 2 == 0, [[1, 0, 1, 0, 1], [1, 0, 0, 0, 0], [1, 0, 1, 0, 0]]),
    ],
)
def test_the_rule_chooses_valid_steps_counted_from_each_sequences_end(loss_on: Any, expected: list[list[int]]) -> None:
    assert chosen_steps(loss_on, LENGTHS.numpy(), 5).astype(int).tolist() == expected


@pytest.mark.parametrize("rule", [lambda n: np.ones(n + 1, dtype=bool), lambda n: np.ones(n), lambda n: True])
def test_a_rule_that_gives_no_mask_is_refused(rule: Any) -> None:
    with pytest.raises(ValueError, match=r"'loss_on' parameter as a function .* For 2 it returned shape"):
        chosen_steps(rule, np.array([2]), 2)


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    loss_on=st.one_of(st.sampled_from(["all", "last"]), st.integers(1, 8)),
    weighted=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_the_loss_is_the_weighted_mean_of_a_loop_over_chosen_steps(
    lengths: list[int], loss_on: Any, weighted: bool
) -> None:
    n = len(lengths)
    y_pred, y_true, weight = draw(n, max(lengths), 2), draw(n, max(lengths), 2, seed=1), draw(n, seed=2).abs()
    inputs: dict[str, Any] = {"lengths": torch.tensor(lengths)} | ({"weight": weight} if weighted else {})
    first = {"all": 0, "last": -1}.get(loss_on) if isinstance(loss_on, str) else -loss_on
    losses = [
        (weight[i] if weighted else 1.0) * (y_pred[i, t] - y_true[i, t]).square().mean()
        for i, length in enumerate(lengths)
        for t in list(range(length))[first:]
    ]
    expected = torch.stack([torch.as_tensor(loss) for loss in losses]).mean()
    torch.testing.assert_close(StepLoss(loss_on)(MSE, y_pred, y_true, inputs), expected)


def test_without_lengths_every_step_is_valid() -> None:
    y_pred, y_true = draw(3, 5, 1), draw(3, 5, 1, seed=1)
    torch.testing.assert_close(StepLoss()(MSE, y_pred, y_true, {}), (y_pred - y_true).square().mean())


def test_what_stands_in_the_padding_changes_nothing_not_even_nan() -> None:
    y_pred, y_true = draw(3, 5, 1).requires_grad_(), draw(3, 5, 1, seed=1)
    padding = (torch.arange(5) >= LENGTHS[:, None])[:, :, None]
    clean = StepLoss()(MSE, y_pred, y_true, {"lengths": LENGTHS})
    spoilt = StepLoss()(MSE, y_pred, y_true.masked_fill(padding, torch.nan), {"lengths": LENGTHS})
    assert torch.equal(clean, spoilt)
    spoilt.backward()
    assert y_pred.grad is not None
    assert not y_pred.grad.masked_select(padding).any()
    assert (y_pred.grad.masked_select(~padding) != 0).all()


def test_labels_are_scored_by_class_number_and_the_weight_of_each_step() -> None:
    y_pred, numbers = draw(3, 5, 3), torch.tensor([[0, 1, 2, 1, 0], [2, 2, 0, 0, 0], [1, 1, 0, 2, 0]])
    weight = np.array([1.0, 2.0, 0.5])[numbers.numpy()]
    found = StepLoss(2, labels=True)(
        ENTROPY, y_pred, numbers[:, :, None].double(), {"lengths": LENGTHS, "step_weight": weight}
    )
    steps = [(0, 3), (0, 4), (1, 0), (1, 1), (2, 2), (2, 3)]
    losses = [-weight[i, t] * y_pred[i, t].log_softmax(0)[numbers[i, t]] for i, t in steps]
    torch.testing.assert_close(found, torch.stack(losses).mean())


def test_batches_of_unlike_lengths_average_to_the_mean_over_all_steps() -> None:
    y_pred, y_true, whole = draw(3, 5, 1), draw(3, 5, 1, seed=1), {"lengths": LENGTHS}
    loss = StepLoss(steps_per_sample=float(LENGTHS.double().mean()))
    alone = [loss(MSE, y_pred[i : i + 1], y_true[i : i + 1], {"lengths": LENGTHS[i : i + 1]}) for i in range(3)]
    torch.testing.assert_close(torch.stack(alone).mean(), StepLoss()(MSE, y_pred, y_true, whole))


def test_a_batch_without_a_chosen_step_has_no_loss_and_no_gradient() -> None:
    y_pred = draw(2, 1, 1).requires_grad_()
    loss = StepLoss(lambda n: np.arange(n) > 0)(MSE, y_pred, draw(2, 1, 1), {"lengths": torch.tensor([1, 1])})
    loss.backward()
    assert loss.item() == 0
    assert y_pred.grad is not None
    assert not y_pred.grad.any()


def test_targets_of_another_shape_are_never_broadcast() -> None:
    with pytest.raises(ValueError, match=r"shape of the targets, \(3, 5, 1\)\. Got \(3, 5, 2\) instead"):
        StepLoss()(MSE, draw(3, 5, 2), draw(3, 5, 1), {})


def test_a_criterion_that_means_by_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="must return one loss per step"):
        StepLoss()(nn.MSELoss(), draw(3, 5, 1), draw(3, 5, 1), {})


def test_the_last_three_of_five_steps_send_gradients_to_all_five_as_autograd_has_them() -> None:
    """E5: the loss on the last three of five steps, against a loop written out with autograd."""
    torch.manual_seed(0)
    network = StepNetwork(2, 1, recurrent=lambda n: Recurrent(RNNCell(n, 4).double()), dtype=torch.float64)
    x, y = draw(2, 5, 2).requires_grad_(), draw(2, 5, 1, seed=1)
    StepLoss(3)(MSE, network(x), y, {}).backward()
    found = {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}
    assert x.grad is not None
    found_x = x.grad.clone()

    network.zero_grad()
    x.grad = None
    (cell,) = network.recurrent.cells
    h, losses = torch.zeros(2, 4, dtype=torch.float64), []
    for t in range(5):
        _, h = cell.step(cell.project(x[:, t]), h)
        if t >= 2:
            losses.append((network.head(h) - y[:, t]).square().mean())
    (sum(losses) / 3).backward()  # type: ignore[union-attr]
    assert (x.grad.abs().sum(dim=(0, 2)) > 0).all()
    torch.testing.assert_close(found_x, x.grad, rtol=1e-12, atol=1e-14)
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-12, atol=1e-14)
