"""The learning-rate schedule and the progress bar."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from skorch.callbacks import Callback
from torch.optim.lr_scheduler import OneCycleLR

from seqpipe.training import OneCycle, ProgressBar


class Rates(Callback):
    """Keeps the learning rate and momentum of each update."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, Any]] = []

    def on_grad_computed(self, net: Any, **kwargs: Any) -> None:
        group = net.optimizer_.param_groups[0]
        self.seen.append((group["lr"], group.get("betas", (None,))[0]))


@pytest.mark.parametrize("epochs", [1, 4, 10])
def test_the_schedule_is_torchs_over_exactly_one_fit(make_net: Any, make_samples: Any, epochs: int) -> None:
    rates = Rates()
    net = make_net(lr=0.02, callbacks=[("one_cycle", OneCycle(3 * epochs)), ("rates", rates)])
    net.train(make_samples(20), None, epochs)
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.02)
    schedule = OneCycleLR(optimizer, max_lr=0.02, total_steps=3 * epochs)
    expected = []
    for _ in range(3 * epochs):
        expected.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"][0]))
        optimizer.step()
        if len(expected) < 3 * epochs:
            schedule.step()
    assert rates.seen == expected


def test_the_rate_rises_to_lr_and_ends_near_zero(make_net: Any, make_samples: Any) -> None:
    rates = Rates()
    make_net(lr=0.02, callbacks=[("one_cycle", OneCycle(30)), ("rates", rates)]).train(make_samples(20), None, 10)
    seen = [lr for lr, _ in rates.seen]
    peak = seen.index(max(seen))
    assert seen[peak] == pytest.approx(0.02, rel=0.02)
    assert seen[:peak] == sorted(seen[:peak])
    assert seen[peak:] == sorted(seen[peak:], reverse=True)
    assert seen[-1] < 1e-5


def test_a_second_fit_begins_a_new_cycle(make_net: Any, make_samples: Any) -> None:
    rates = Rates()
    net = make_net(callbacks=[("one_cycle", OneCycle(6)), ("rates", rates)])
    net.train(make_samples(20), None, 2)
    net.train(make_samples(20), None, 2)
    assert rates.seen[6:] == rates.seen[:6]


def test_updates_beyond_the_plan_keep_the_last_rate(make_net: Any, make_samples: Any) -> None:
    rates = Rates()
    make_net(callbacks=[("one_cycle", OneCycle(4)), ("rates", rates)]).train(make_samples(20), None, 2)
    assert len(rates.seen) == 6
    assert rates.seen[4:] == [rates.seen[3]] * 2


def test_batches_of_validation_do_not_count_as_updates(make_net: Any, make_samples: Any) -> None:
    alone, watched = Rates(), Rates()
    for rates, validation in ((alone, None), (watched, make_samples(seed=1))):
        net = make_net(callbacks=[("one_cycle", OneCycle(6)), ("rates", rates)])
        net.train(make_samples(20), validation, 2)
    assert alone.seen == watched.seen


def test_the_bar_counts_epochs_and_shows_the_losses(make_net: Any, make_samples: Any, capsys: Any) -> None:
    make_net(callbacks=[("bar", ProgressBar(3))]).train(make_samples(), make_samples(seed=1), 3)
    shown = capsys.readouterr().err
    assert "3/3" in shown
    assert "train_loss=" in shown
    assert "valid_loss=" in shown


def test_the_bar_is_closed_when_the_fit_fails(make_net: Any, make_samples: Any, capsys: Any) -> None:
    class Failing(Callback):
        def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
            raise RuntimeError("no more")

    bar = ProgressBar(3)
    with pytest.raises(RuntimeError, match="no more"):
        make_net(callbacks=[("bar", bar), ("failing", Failing())]).train(make_samples(), None, 3)
    assert bar.bar_.disable
