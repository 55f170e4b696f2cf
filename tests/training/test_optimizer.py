"""Optimizers are fused where torch can, and the user's word counts."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from seqpipe.training import fused_settings

FUSED, FOREACH = {"optimizer__fused": True}, {"optimizer__foreach": True}


class Plain(torch.optim.SGD):
    """A user's own, that takes neither."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, lr=lr)


@pytest.mark.parametrize(
    ("optimizer", "device", "settings"),
    [
        (torch.optim.AdamW, "cpu", FUSED),
        (torch.optim.SGD, "cuda:0", FUSED),
        (torch.optim.Adagrad, "cpu", FUSED),
        (torch.optim.Adagrad, "cuda:0", FOREACH),
        (torch.optim.RMSprop, "cpu", FOREACH),
        (torch.optim.LBFGS, "cpu", {}),
        (Plain, "cpu", {}),
    ],
)
def test_an_optimizer_is_fused_else_foreach_else_as_it_is(optimizer: Any, device: str, settings: Any) -> None:
    assert fused_settings(optimizer, device, given=[]) == settings


@pytest.mark.parametrize("name", ["optimizer__foreach", "optimizer__fused", "optimizer__differentiable"])
def test_what_the_user_set_is_not_overruled(name: str) -> None:
    assert fused_settings(torch.optim.AdamW, "cpu", given=[name]) == {}


@pytest.mark.parametrize(
    "name", [n for n in vars(torch.optim) if isinstance(getattr(torch.optim, n), type) and n[0] != "_"]
)
def test_every_optimizer_of_torch_takes_its_settings_and_a_step(name: str) -> None:
    optimizer = getattr(torch.optim, name)
    settings = {k.removeprefix("optimizer__"): v for k, v in fused_settings(optimizer, "cpu", given=[]).items()}
    if name in ("Optimizer", "SparseAdam"):
        assert settings == {}
        return
    weight = torch.nn.Parameter(torch.ones(2, 2))
    made = optimizer([weight], lr=0.1, **settings)
    weight.grad = torch.ones(2, 2)
    made.step(lambda: weight.sum())
    assert not torch.equal(weight, torch.ones(2, 2))
