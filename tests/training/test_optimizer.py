"""Optimizers by name: fused where torch can, the user's word counts, and those that cannot work are refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from seqpipe.exceptions import UnknownNameError
from seqpipe.training import OPTIMIZERS, check_optimizer_params, find_optimizer, optimizer_settings

FUSED, FOREACH = {"optimizer__fused": True}, {"optimizer__foreach": True}
DECAY = {"optimizer__weight_decay": 0.1}


class Plain(torch.optim.SGD):
    """A user's own, that takes neither."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, lr=lr)


@pytest.mark.parametrize(
    ("optimizer", "device", "settings"),
    [
        (torch.optim.AdamW, "cpu", DECAY | FUSED),
        (torch.optim.SGD, "cuda:0", DECAY | FUSED),
        (torch.optim.Adagrad, "cpu", DECAY | FUSED),
        (torch.optim.Adagrad, "cuda:0", DECAY | FOREACH),
        (torch.optim.RMSprop, "cpu", DECAY | FOREACH),
        (torch.optim.Rprop, "cpu", FOREACH),
        (Plain, "cpu", {}),
    ],
)
def test_an_optimizer_is_fused_else_foreach_else_as_it_is(optimizer: Any, device: str, settings: Any) -> None:
    assert optimizer_settings(optimizer, device, weight_decay=0.1, given=[]) == settings


@pytest.mark.parametrize("name", ["optimizer__foreach", "optimizer__fused", "optimizer__differentiable"])
def test_what_the_user_set_is_not_overruled(name: str) -> None:
    assert optimizer_settings(torch.optim.AdamW, "cpu", weight_decay=0.1, given=[name]) == DECAY


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_trains_with_its_settings(name: str, make_net: Any, make_samples: Any, weights: Any) -> None:
    settings = optimizer_settings(OPTIMIZERS[name], "cpu", weight_decay=0.01, given=[])
    net = make_net(optimizer=OPTIMIZERS[name], lr=1e-3, **settings)
    before = weights(net)
    net.train(make_samples(), None, 2)
    assert net.guard.n_updates_ == 6
    assert not any(torch.equal(a, b) for a, b in zip(before, weights(net)))


def test_the_names_are_torchs_but_for_those_that_cannot_work() -> None:
    of_torch = {n for n, kind in vars(torch.optim).items() if isinstance(kind, type)}
    assert of_torch - set(OPTIMIZERS) == {"LBFGS", "Muon", "Optimizer", "SparseAdam"}
    assert all(find_optimizer(name, owner="Model") is getattr(torch.optim, name) for name in OPTIMIZERS)


def test_a_class_is_taken_as_it_is() -> None:
    assert find_optimizer(Plain, owner="Model") is Plain


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        ("adamw", r"must be one of \['ASGD', .* Got 'adamw' instead\. Did you mean 'AdamW'"),
        ("Optimizer", "Got 'Optimizer' instead"),
        ("LBFGS", "LBFGS evaluates the loss several times per update"),
        (torch.optim.SparseAdam, "SparseAdam takes sparse gradients only"),
        ("Muon", "Muon takes matrices only"),
    ],
)
def test_an_optimizer_that_cannot_work_is_refused_with_the_reason(optimizer: Any, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        find_optimizer(optimizer, owner="Model")


@pytest.mark.parametrize("optimizer", [torch.nn.Linear, 3])
def test_what_is_no_optimizer_is_refused(optimizer: Any) -> None:
    with pytest.raises(TypeError, match="or a subclass of torch's Optimizer"):
        find_optimizer(optimizer, owner="Model")


@pytest.mark.parametrize("settings", [{"optimizer__nope": 1}, {"optimizer__betas": 3}, {"optimizer__eps": "x"}])
def test_settings_that_an_optimizer_does_not_take_are_refused(settings: Any) -> None:
    with pytest.raises(ValueError, match=r"The optimizer 'AdamW' of Net cannot be created with \{"):
        check_optimizer_params(torch.optim.AdamW, settings, owner="Net")


@pytest.mark.parametrize("settings", [None, {}, {"optimizer__betas": [0.8, 0.9]}, {"optimizer__fused": True}, {"x": 1}])
def test_settings_that_an_optimizer_takes_pass(settings: Any) -> None:
    check_optimizer_params(torch.optim.AdamW, settings, owner="Net")
