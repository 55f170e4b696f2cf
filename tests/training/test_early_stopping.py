"""Early stopping: when it ends training, and which weights are left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skorch.callbacks import EarlyStopping as SkorchEarlyStopping

from seqpipe.training import EarlyStopping
from seqpipe.training._stopping import StopTraining


def test_training_ends_when_the_validation_loss_stops_falling(make_net: Any, make_samples: Any) -> None:
    net = make_net(callbacks=[("early", EarlyStopping(2))], lr=0.5)
    reason = net.train(make_samples(), make_samples(seed=1), 500)
    assert reason == "the validation loss has not improved for 2 epochs"
    assert len(net.history) < 500


class Net:
    """As much of a net as early stopping sees: its weight counts the epochs."""

    def __init__(self) -> None:
        self.module_ = torch.nn.Linear(1, 1)
        self.history = self
        self.epochs: list[float] = []
        self.verbose = 0

    def add(self, loss: float) -> None:
        self.epochs.append(loss)
        torch.nn.init.constant_(self.module_.weight, len(self.epochs))

    def __getitem__(self, key: Any) -> Any:
        values = {"epoch": len(self.epochs), "valid_loss": self.epochs[-1]}
        return values[key[1]] if isinstance(key[1], str) else tuple(values[name] for name in key[1])


def run(callback: Any, losses: Sequence[float]) -> tuple[int, float]:
    """Return after how many epochs training ended, and the weight that was left."""
    net = Net()
    callback.on_train_begin(net)
    for loss in losses:
        net.add(loss)
        try:
            callback.on_epoch_end(net)
        except (StopTraining, KeyboardInterrupt):
            break
    callback.on_train_end(net)
    return len(net.epochs), net.module_.weight.item()


@pytest.mark.parametrize(
    ("losses", "n_epochs", "best"),
    [
        ([3.0, 2.0, 1.0], 3, 3),
        ([3.0, 2.0, 2.0, 2.0, 1.0], 4, 2),
        ([3.0, 2.0, 2.5, 1.0, 2.0, 2.0, 0.0], 6, 4),
        ([1.0, 0.99995, 0.9999, 0.5], 3, 1),
    ],
    ids=["falls", "stays", "falls again", "falls by too little"],
)
def test_the_best_weights_are_restored(losses: list[float], n_epochs: int, best: int) -> None:
    assert run(EarlyStopping(2), losses) == (n_epochs, best)


@settings(deadline=None)
@given(
    st.lists(st.floats(-2, 2).map(lambda x: round(x, 4)) | st.just(np.nan), min_size=1, max_size=12), st.integers(1, 4)
)
def test_it_stops_where_skorchs_own_does(losses: list[float], patience: int) -> None:
    skorch = SkorchEarlyStopping(patience=patience, load_best=True, sink=lambda *args: None)
    assert run(EarlyStopping(patience), losses) == run(skorch, losses)
