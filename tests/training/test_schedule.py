"""Learning-rate schedules: torch's own numbers, over exactly one fit, whatever batches come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import OneCycleLR

from seqpipe.cells import GRUCell
from seqpipe.exceptions import UnknownNameError
from seqpipe.networks import StepNetwork
from seqpipe.recurrence import Recurrent
from seqpipe.sequences import Sequences
from seqpipe.training import (
    SCHEDULES,
    Samples,
    Schedule,
    StepLoss,
    Truncation,
    check_schedule,
    check_schedule_params,
)

HALVE = {"lr_lambda": lambda epoch: 0.5}


class Rates(Callback):
    """Keeps the learning rate and momentum of each update."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, Any]] = []

    def on_grad_computed(self, net: Any, **kwargs: Any) -> None:
        group = net.optimizer_.param_groups[0]
        self.seen.append((group["lr"], group.get("betas", (group.get("momentum"),))[0]))


def trained(make_net: Any, samples: Samples, schedule: Schedule, **kwargs: Any) -> list[tuple[float, Any]]:
    rates = Rates()
    net = make_net(callbacks=[("schedule", schedule), ("rates", rates)], **{"lr": 0.02, **kwargs})
    net.train(samples, None, schedule.epochs)
    return rates.seen


@pytest.mark.parametrize("epochs", [1, 4, 10])
def test_the_one_cycle_is_torchs_over_exactly_one_fit(make_net: Any, make_samples: Any, epochs: int) -> None:
    seen = trained(make_net, make_samples(20), Schedule("OneCycleLR", epochs, 3))
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.02)
    schedule = OneCycleLR(optimizer, max_lr=0.02, total_steps=3 * epochs)
    expected = []
    for _ in range(3 * epochs):
        expected.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"][0]))
        optimizer.step()
        if len(expected) < 3 * epochs:
            schedule.step()
    assert seen == expected


def test_the_rate_rises_to_lr_and_ends_near_zero(make_net: Any, make_samples: Any) -> None:
    seen = [lr for lr, _ in trained(make_net, make_samples(20), Schedule("OneCycleLR", 10, 3))]
    peak = seen.index(max(seen))
    assert seen[peak] == pytest.approx(0.02, rel=0.02)
    assert seen[:peak] == sorted(seen[:peak])
    assert seen[peak:] == sorted(seen[peak:], reverse=True)
    assert seen[-1] < 1e-5


def test_a_second_fit_begins_a_new_cycle(make_net: Any, make_samples: Any) -> None:
    rates = Rates()
    net = make_net(callbacks=[("schedule", Schedule("OneCycleLR", 2, 3)), ("rates", rates)])
    net.train(make_samples(20), None, 2)
    net.train(make_samples(20), None, 2)
    assert rates.seen[6:] == rates.seen[:6]


def test_updates_beyond_the_plan_keep_the_last_rate(make_net: Any, make_samples: Any) -> None:
    rates = Rates()
    net = make_net(callbacks=[("schedule", Schedule("OneCycleLR", 2, 2)), ("rates", rates)])
    net.train(make_samples(20), None, 2)
    assert len(rates.seen) == 6
    assert rates.seen[4:] == [rates.seen[3]] * 2


def test_batches_of_validation_do_not_count_as_updates(make_net: Any, make_samples: Any) -> None:
    alone, watched = Rates(), Rates()
    for rates, validation in ((alone, None), (watched, make_samples(seed=1))):
        net = make_net(callbacks=[("schedule", Schedule("OneCycleLR", 2, 3)), ("rates", rates)])
        net.train(make_samples(20), validation, 2)
    assert alone.seen == watched.seen


@pytest.mark.parametrize("name", sorted({*SCHEDULES} - {"CyclicLR", "OneCycleLR", "ReduceLROnPlateau"}))
def test_a_schedule_by_epochs_is_torchs(make_net: Any, make_samples: Any, name: str) -> None:
    params: dict[str, Any] = {
        "CosineAnnealingLR": {"T_max": 7},
        "CosineAnnealingWarmRestarts": {"T_0": 2},
        "ExponentialLR": {"gamma": 0.7},
        "LambdaLR": HALVE,
        "MultiStepLR": {"milestones": [1, 4]},
        "MultiplicativeLR": HALVE,
        "StepLR": {"step_size": 2, "gamma": 0.3},
    }.get(name, {"total_iters": 4})
    seen = [lr for lr, _ in trained(make_net, make_samples(20), Schedule(name, 6, 3, params=params))]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.02)
    schedule = getattr(lr_scheduler, name)(optimizer, **params)
    expected = []
    for _ in range(6):
        expected += 3 * [optimizer.param_groups[0]["lr"]]
        optimizer.step()
        schedule.step()
    assert seen == expected


@pytest.mark.parametrize("name", SCHEDULES)
def test_what_torch_demands_and_the_fit_knows_is_filled_in(make_net: Any, make_samples: Any, name: str) -> None:
    params = HALVE if name in ("LambdaLR", "MultiplicativeLR") else None
    seen = [lr for lr, _ in trained(make_net, make_samples(20), Schedule(name, 12, 3, params=params))]
    assert len(seen) == 36
    assert max(seen) <= 0.02 * (1 + 1e-9)
    assert (len(set(seen)) > 1) == (name not in ("LambdaLR", "ReduceLROnPlateau"))


def test_a_schedule_on_the_loss_lowers_the_rate_when_it_stands_still(make_net: Any, make_samples: Any) -> None:
    schedule = Schedule("ReduceLROnPlateau", 6, 3, params={"patience": 1, "threshold": 1e9, "threshold_mode": "abs"})
    seen = [lr for lr, _ in trained(make_net, make_samples(20), schedule)]
    assert seen[::3] == pytest.approx([0.02, 0.02, 0.02, 0.002, 0.002, 0.0002])


def test_a_schedule_on_the_loss_looks_at_validation_where_there_is_one(make_net: Any, make_samples: Any) -> None:
    rates, schedule = Rates(), Schedule("ReduceLROnPlateau", 12, 3, params={"patience": 0, "mode": "max"})
    net = make_net(callbacks=[("schedule", schedule), ("rates", rates)])
    net.train(make_samples(20), make_samples(20, seed=1), 12)
    assert schedule.schedule_.best == max(net.history[:, "valid_loss"])


@pytest.mark.parametrize(
    ("optimizer", "momentum"), [({}, 0.0), ({"optimizer__momentum": 0.9}, 0.95)], ids=["without", "with"]
)
def test_momentum_is_cycled_only_where_there_is_one(
    make_net: Any, make_samples: Any, optimizer: dict[str, Any], momentum: float
) -> None:
    schedule = Schedule("OneCycleLR", 3, 3)
    seen = trained(make_net, make_samples(20), schedule, optimizer=torch.optim.SGD, **optimizer)
    assert seen[0][1] == momentum
    assert (len({m for _, m in seen}) > 1) == bool(optimizer)


# ---- with several updates a batch


def cut(make_net: Any, lengths: list[int], schedule: Schedule, k: int = 2, **settings: Any) -> list[float]:
    X = [np.random.default_rng(n).normal(size=(n, 2)) for n in lengths]
    samples = Samples(Sequences.from_arrays(X), Sequences.from_arrays([x[:, :1] for x in X]))
    step = {
        "module": StepNetwork,
        "module__recurrent": lambda n: Recurrent(GRUCell(n, 3).double()),
        "objective": StepLoss(),
        "truncation": Truncation(k, k),
        "batch_size": 2,
        **settings,
    }
    return [lr for lr, _ in trained(make_net, samples, schedule, **step)]


def test_every_part_of_equally_long_batches_is_a_step_of_the_cycle(make_net: Any, make_samples: Any) -> None:
    found = cut(make_net, [8] * 4, Schedule("OneCycleLR", 3, 2, updates_per_batch=4))
    expected = trained(make_net, make_samples(24), Schedule("OneCycleLR", 8, 3), batch_size=8)
    assert found == [lr for lr, _ in expected]


def test_the_cycle_ends_with_the_fit_also_where_batches_are_shorter_than_planned(make_net: Any) -> None:
    found = cut(make_net, [3, 3, 20, 20], Schedule("OneCycleLR", 10, 2, updates_per_batch=10))
    assert len(found) == 10 * (2 + 10)
    assert max(found) == pytest.approx(0.02, rel=0.05)
    assert found[-1] < 1e-3
    whole = cut(make_net, [20, 20], Schedule("OneCycleLR", 20, 1, updates_per_batch=10))
    assert set(found) <= set(whole)


def test_the_cycle_ends_with_the_fit_also_where_whole_batches_have_no_loss(make_net: Any) -> None:
    late = StepLoss(lambda n: np.arange(n) >= 10)
    found = cut(make_net, [3, 3, 3, 3, 20, 20], Schedule("OneCycleLR", 10, 3, updates_per_batch=10), objective=late)
    assert len(found) == 10 * 5
    assert max(found) == pytest.approx(0.02, rel=0.05)
    assert found[-1] < 1e-3


# ---- names


def test_a_misspelt_schedule_is_refused_with_the_likely_one() -> None:
    with pytest.raises(
        UnknownNameError, match=r"must be None or one of \[.*Got 'OneCycle' instead\. Did you mean 'OneCycleLR'"
    ):
        check_schedule("OneCycle", owner="Model")


@pytest.mark.parametrize("name", ["ChainedScheduler", "LRScheduler", "SequentialLR"])
def test_a_schedule_made_of_others_is_refused(name: str) -> None:
    with pytest.raises(UnknownNameError, match=f"Got '{name}' instead"):
        check_schedule(name, owner="Model")


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("StepLR", {"stepsize": 3}, "holds 'stepsize', which StepLR does not accept. Did you mean 'step_size'"),
        ("StepLR", {"optimizer": 3}, "holds 'optimizer', which StepLR does not accept"),
        (None, {"gamma": 0.1}, "has no effect with lr_schedule=None"),
        ("LambdaLR", None, "needs lr_schedule_params={'lr_lambda': function of the epoch}"),
    ],
)
def test_parameters_that_do_not_fit_the_schedule_are_refused(name: Any, params: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_schedule_params(name, params, owner="Model")


def test_values_that_torch_refuses_are_named_before_training(make_net: Any, make_samples: Any) -> None:
    with pytest.raises(
        ValueError, match=r"lr_schedule='OneCycleLR' cannot be created with .*'pct_start': 7.*: Expected float"
    ):
        trained(make_net, make_samples(), Schedule("OneCycleLR", 2, 3, params={"pct_start": 7}))
