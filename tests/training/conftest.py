"""A small net, and ragged samples that it can learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from seqpipe.cells import GRUCell
from seqpipe.networks import SequenceNetwork
from seqpipe.recurrence import Recurrent
from seqpipe.sequences import Sequences
from seqpipe.training import GradientGuard, Samples, SequenceNet


def net(**kwargs: Any) -> SequenceNet:
    torch.manual_seed(0)
    guard = kwargs.pop("guard", None) or GradientGuard(kwargs.pop("max_norm", None))
    settings: dict[str, Any] = {
        "module": SequenceNetwork,
        "module__n_features": 2,
        "module__n_outputs": 1,
        "module__recurrent": lambda input_size: Recurrent(GRUCell(input_size, 4).double()),
        "module__dtype": torch.float64,
        "criterion": torch.nn.MSELoss,
        "criterion__reduction": "none",
        "optimizer": torch.optim.AdamW,
        "lr": 0.01,
        "batch_size": 8,
        "train_split": None,
        "callbacks__print_log": None,
        "verbose": 0,
        **kwargs,
        "callbacks": [("guard", guard), *kwargs.get("callbacks", [])],
    }
    return SequenceNet(guard=guard, random=np.random.default_rng(0), **settings).initialize()


def samples(n: int = 20, *, weight: Any = None, seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(length, 2)) for length in rng.integers(1, 9, size=n)]
    y = np.array([[x[:, 0].mean()] for x in X])
    return Samples(Sequences.from_arrays(X), y, weight)


@pytest.fixture
def make_net() -> Callable[..., SequenceNet]:
    return net


@pytest.fixture
def make_samples() -> Callable[..., Samples]:
    return samples


@pytest.fixture
def weights() -> Callable[[SequenceNet], list[torch.Tensor]]:
    """Copies of a net's weights."""
    return lambda net: [p.detach().clone() for p in net.module_.parameters()]
