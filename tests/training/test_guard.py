"""The finite guard: a fit that diverges stops at once, and the last weights that worked stay."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from skorch.callbacks import Callback
from torch import Tensor, nn

from seqpipe.training import Diverged, GradientGuard, Samples


class Recorder(Callback):
    """Keeps the weights before each update."""

    def __init__(self) -> None:
        self.before: list[list[Tensor]] = []

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        if training:
            self.before.append([p.detach().clone() for p in net.module_.parameters()])


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def finite(weights: list[Tensor]) -> bool:
    return all(bool(torch.isfinite(w).all()) for w in weights)


class FailsAt(nn.MSELoss):
    """Goes wrong at one batch, in one way."""

    def __init__(self, n: int = 5, how: str = "loss", reduction: str = "none") -> None:
        super().__init__(reduction=reduction)
        self.left, self.how = n, how

    def forward(self, y_pred: Tensor, y: Tensor) -> Tensor:
        self.left -= 1
        loss = super().forward(y_pred, y)
        if self.left:
            return loss
        if self.how == "gradient":  # 0 at 0, where the slope of the root is infinite, and 0 times that is NaN
            return loss + (0 * y_pred).sqrt()
        return loss * {"loss": torch.inf, "nan": torch.nan}[self.how]


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW, torch.optim.RMSprop])
@pytest.mark.parametrize("max_norm", [None, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_absurd_learning_rate_stops_within_one_step_and_keeps_the_first_weights(
    make_net: Any, make_samples: Any, weights: Any, optimizer: Any, max_norm: Any, dtype: torch.dtype
) -> None:
    net = make_net(lr=1e20, optimizer=optimizer, max_norm=max_norm, module__dtype=dtype)
    samples, first = make_samples(), weights(net)
    numpy_dtype = str(dtype).removeprefix("torch.")
    with pytest.raises(Diverged, match=r"the weights exploded|the (loss|gradient) is not finite"):
        net.train(Samples(samples.X.astype(numpy_dtype), samples.y.astype(numpy_dtype)), None, 5)
    assert net.guard.n_updates_ == 1
    assert same(weights(net), first)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("loss", "the loss is not finite"),
        ("nan", "the loss is not finite"),
        ("gradient", "the gradient is not finite"),
    ],
)
def test_a_bad_batch_stops_before_its_update_and_keeps_the_weights_it_met(
    make_net: Any, make_samples: Any, weights: Any, how: str, words: str
) -> None:
    recorder = Recorder()
    net = make_net(criterion=FailsAt, criterion__how=how, callbacks=[("recorder", recorder)])
    with pytest.raises(Diverged, match=words):
        net.train(make_samples(), None, 5)
    assert net.guard.n_updates_ == 4
    assert len(recorder.before) == 5
    assert same(weights(net), recorder.before[3])  # the last to give a finite loss and gradient


def test_a_module_whose_gradient_is_nan_under_a_finite_loss_stops(
    make_net: Any, make_samples: Any, weights: Any
) -> None:
    net = make_net()
    first = weights(net)
    net.module_.head.weight.register_hook(lambda gradient: gradient * torch.nan)
    with pytest.raises(Diverged, match="the gradient is not finite"):
        net.train(make_samples(), None, 1)
    assert net.guard.n_updates_ == 0
    assert same(weights(net), first)


def test_an_explosion_in_an_epochs_last_update_is_seen_at_its_end(
    make_net: Any, make_samples: Any, weights: Any
) -> None:
    net = make_net(lr=1e20, batch_size=20)
    first, told = weights(net), []

    class Told(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            told.append(net)

    net.callbacks_.append(("told", Told()))
    with pytest.raises(Diverged, match="the weights exploded"):
        net.train(make_samples(), None, 1)
    assert not told
    assert same(weights(net), first)


def test_weights_lost_in_the_very_last_update_are_put_back(make_net: Any, make_samples: Any, weights: Any) -> None:
    class Spoiling(Callback):
        def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
            if training and net.guard.n_updates_ == 6:  # of 3 batches an epoch, 2 epochs
                net.module_.head.bias.data.fill_(torch.nan)

    recorder = Recorder()
    net = make_net(callbacks=[("recorder", recorder), ("spoiling", Spoiling())])
    with pytest.raises(Diverged, match="the weights exploded"):
        net.train(make_samples(20), None, 2)
    assert same(weights(net), recorder.before[5])


def test_a_net_that_diverged_still_predicts_and_trains(make_net: Any, make_samples: Any, weights: Any) -> None:
    net = make_net(criterion=FailsAt)
    with pytest.raises(Diverged, match="the loss is not finite"):
        net.train(make_samples(), None, 5)
    assert torch.isfinite(torch.from_numpy(net.outputs(make_samples()))).all()
    assert net.train(make_samples(), None, 2) is None
    assert finite(weights(net))


def test_a_fit_that_goes_well_is_left_alone(make_net: Any, make_samples: Any, weights: Any) -> None:
    guarded, recorder = make_net(), Recorder()
    guarded.train(make_samples(), None, 3)
    free = make_net(callbacks=[("recorder", recorder)])
    free.train(make_samples(), None, 3)
    assert same(weights(guarded), weights(free))
    assert guarded.guard.n_updates_ == 9
    assert not same(weights(guarded), recorder.before[0])


@pytest.mark.parametrize("max_norm", [1e-3, 0.5, 1e6])
def test_clipping_is_torchs(make_net: Any, make_samples: Any, max_norm: float) -> None:
    class Compare(Callback):
        """Clips copies by torch's own function, beside the guard."""

        compared = 0

        def on_grad_computed(self, net: Any, **kwargs: Any) -> None:
            parameters = [p for p in net.module_.parameters() if p.grad is not None]
            copies = [nn.Parameter(p.detach().clone()) for p in parameters]
            for copy, p in zip(copies, parameters):
                copy.grad = p.grad.clone()
            self.norm = float(nn.utils.clip_grad_norm_(copies, max_norm))
            guard = GradientGuard(max_norm)
            guard.on_train_begin(net)
            guard.on_grad_computed(net, net.module_.named_parameters())
            for copy, p in zip(copies, parameters):
                torch.testing.assert_close(p.grad, copy.grad, rtol=1e-12, atol=0)
            assert float(guard.norms_[0]) == pytest.approx(self.norm)
            self.compared += 1

    compare = Compare()
    make_net(callbacks=[("compare", compare)]).train(make_samples(), None, 1)
    assert compare.compared == 3


def test_the_mean_norm_before_clipping_is_recorded_an_epoch(make_net: Any, make_samples: Any) -> None:
    free, clipped = make_net(batch_size=20), make_net(batch_size=20, max_norm=1e-6)
    for net in (free, clipped):
        net.train(make_samples(), None, 1)
    assert clipped.history[-1, "grad_norm"] == pytest.approx(free.history[-1, "grad_norm"])
    assert clipped.history[-1, "grad_norm"] > 1e-3


def test_clipped_updates_are_small(make_net: Any, make_samples: Any, weights: Any) -> None:
    net = make_net(max_norm=1e-6, optimizer=torch.optim.SGD, lr=1.0, batch_size=20)
    first = weights(net)
    net.train(make_samples(), None, 1)
    moved = torch.cat([(a - b).flatten() for a, b in zip(first, weights(net))]).norm()
    assert 0 < moved <= 1.001e-6


def test_parameters_that_are_not_trained_are_no_trouble(make_net: Any, make_samples: Any) -> None:
    net = make_net()
    net.module_.recurrent.requires_grad_(False)
    assert net.train(make_samples(), None, 1) is None
