"""Early stopping validates and keeps the moving average of the weights, and trains on the weights."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from seqpipe.training import EarlyStopping
from seqpipe.training._stopping import StopTraining


class Net(SimpleNamespace):
    """What the callback reads of a net: a module of one weight, and the history."""

    def __init__(self) -> None:
        super().__init__(module_=nn.Linear(1, 1, bias=False), history={})
        self.set(0.0)

    def set(self, weight: float) -> None:
        with torch.no_grad():
            self.module_.weight.fill_(weight)

    @property
    def weight(self) -> float:
        return self.module_.weight.item()


def run(losses: list[float], patience: int = 10) -> tuple[list[float], list[float], Net]:
    """Train for one update per epoch, which sets the weight to the number of the epoch; return validated and trained weights."""
    net, stopping = Net(), EarlyStopping(patience)
    stopping.on_train_begin(net)
    validated, trained = [], []
    try:
        for epoch, loss in enumerate(losses, 1):
            net.set(epoch)
            stopping.on_batch_end(net, training=True)
            for _ in range(2):
                stopping.on_batch_begin(net, training=False)
                validated.append(net.weight)
            net.history = {(-1, "valid_loss"): loss}
            stopping.on_epoch_end(net)
            trained.append(net.weight)
    except StopTraining:
        trained.append(net.weight)
    stopping.on_train_end(net)
    return validated[::2], trained, net


def test_the_average_is_validated_and_the_weights_are_trained_on() -> None:
    validated, trained, _ = run([1.0, 0.9, 0.8, 0.7])
    assert trained == [1, 2, 3, 4]
    average = 0.0
    for n, found in enumerate(validated, 1):
        decay = (1 + n) / (10 + n)
        average = decay * average + (1 - decay) * n
        assert found == pytest.approx(average)


def test_the_best_average_is_kept() -> None:
    validated, _, net = run([1.0, 0.5, 0.8, 0.7])
    assert net.weight == pytest.approx(validated[1])


def test_training_stops_after_epochs_without_improvement() -> None:
    validated, trained, net = run([1.0, 0.5, 0.6, 0.7, 0.1], patience=2)
    assert len(validated) == 4
    assert trained == [1, 2, 3, 4]
    assert net.weight == pytest.approx(validated[1])


def test_a_fit_that_ends_before_its_first_validation_keeps_its_weights() -> None:
    net, stopping = Net(), EarlyStopping(3)
    stopping.on_train_begin(net)
    net.set(5.0)
    stopping.on_batch_end(net, training=True)
    stopping.on_train_end(net)
    assert net.weight == 5.0
