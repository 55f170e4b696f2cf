"""The skorch net: whole batches, weighted losses, outputs in order, and an honest Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import weakref
from typing import Any

import numpy as np
import pytest
import sklearn
import torch
from skorch.callbacks import Callback, EarlyStopping

from seqpipe.sequences import Sequences, Windows
from seqpipe.training import EpochListener, Samples


def test_training_lowers_the_loss(make_net: Any, make_samples: Any) -> None:
    net = make_net()
    assert net.train(make_samples(), None, 30) is None
    losses = net.history[:, "train_loss"]
    assert len(losses) == 30
    assert losses[-1] < 0.5 * losses[0]


def test_training_again_goes_on_from_the_weights_there_are(make_net: Any, make_samples: Any, weights: Any) -> None:
    once, twice = make_net(), make_net()
    once.train(make_samples(), None, 4)
    twice.train(make_samples(), None, 2)
    twice.train(make_samples(), None, 2)
    assert all(torch.equal(a, b) for a, b in zip(weights(once), weights(twice)))
    assert len(twice.history) == 4


@pytest.mark.parametrize("n", [1, 9, 17])
def test_a_last_batch_of_one_trains_and_predicts(make_net: Any, make_samples: Any, n: int) -> None:
    net, samples = make_net(batch_size=8), make_samples(n)
    net.train(samples, None, 2)
    assert net.guard.n_updates_ == 2 * -(-n // 8)
    assert net.outputs(samples).shape == (n, 1)
    assert np.isfinite(net.outputs(samples)).all()


def test_outputs_come_in_the_samples_order(make_net: Any, make_samples: Any) -> None:
    net, samples = make_net(), make_samples(50)
    together = net.outputs(samples)
    alone = np.concatenate([net.outputs(samples.take(np.array([i]))) for i in range(50)])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-14)
    assert len(np.unique(together)) == 50


def test_more_samples_than_a_prediction_batch_holds_keep_their_order(make_net: Any) -> None:
    lengths = np.random.default_rng(0).integers(1, 4, size=5000)
    values = np.random.default_rng(1).normal(size=(lengths.sum(), 2))
    X = Sequences(values, np.concatenate([[0], np.cumsum(lengths)]))
    net = make_net()
    some = np.array([4999, 0, 2500])
    np.testing.assert_allclose(net.outputs(Samples(X))[some], net.outputs(Samples(X[some])), rtol=0, atol=1e-14)


def test_windows_give_what_their_copies_give(make_net: Any) -> None:
    net, windows = make_net(), Windows(np.random.default_rng(0).normal(size=(30, 2)), np.arange(20), 5)
    copies = Sequences.from_padded(np.asarray(windows))
    assert np.array_equal(net.outputs(Samples(windows)), net.outputs(Samples(copies)))


def test_prediction_drops_nothing_out_and_keeps_no_graph(make_net: Any, make_samples: Any) -> None:
    net = make_net(module__dropout=0.5)
    net.train(make_samples(), None, 1)
    assert np.array_equal(net.outputs(make_samples()), net.outputs(make_samples()))


# ---- the loss


def test_the_weighted_loss_is_the_mean_of_weight_times_loss(make_net: Any, make_samples: Any) -> None:
    net, y = make_net(), torch.randn(5, 1)
    predicted, weight = torch.randn(5, 1), torch.tensor([0.0, 1.0, 2.0, 0.5, 1.5])
    expected = (weight * (predicted - y)[:, 0].square()).mean()
    torch.testing.assert_close(net.get_loss(predicted, y, X={"weight": weight}), expected)


def test_weights_of_one_change_nothing(make_net: Any, make_samples: Any, weights: Any) -> None:
    plain, weighted = make_net(), make_net()
    plain.train(make_samples(), None, 2)
    weighted.train(make_samples(weight=np.ones(20)), None, 2)
    assert all(torch.equal(a, b) for a, b in zip(weights(plain), weights(weighted)))


def test_a_sample_without_weight_gives_no_gradient(make_net: Any, make_samples: Any, weights: Any) -> None:
    weight = np.ones(20)
    weight[7] = 0
    one, other = make_samples(weight=weight), make_samples(weight=weight)
    other.y[7] = 1e3
    nets = [make_net(), make_net()]
    for net, samples in zip(nets, (one, other)):
        net.train(samples, None, 2)
    assert all(torch.equal(a, b) for a, b in zip(*map(weights, nets)))


def test_several_outputs_are_averaged_per_sample(make_net: Any) -> None:
    net, y, predicted = make_net(module__n_outputs=3), torch.randn(4, 3), torch.randn(4, 3)
    torch.testing.assert_close(net.get_loss(predicted, y, X={}), (predicted - y).square().mean())


def test_classes_are_scored_by_their_number(make_net: Any) -> None:
    net = make_net(criterion=torch.nn.CrossEntropyLoss, module__n_outputs=3)
    predicted, y = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    expected = torch.nn.functional.cross_entropy(predicted, y)
    torch.testing.assert_close(net.get_loss(predicted, y, X={}), expected)


@pytest.mark.parametrize("shape", [(20,), (20, 2), (20, 1, 1)])
def test_targets_of_another_shape_than_the_outputs_are_never_broadcast(
    make_net: Any, make_samples: Any, shape: tuple[int, ...]
) -> None:
    samples = make_samples(20)
    with pytest.raises(ValueError, match=r"shape of the targets, \((\d),.*\)\. Got \(\1, 1\) instead"):
        make_net().train(Samples(samples.X, np.zeros(shape)), None, 1)


def test_validation_is_scored_but_not_learned(make_net: Any, make_samples: Any, weights: Any) -> None:
    alone, watched = make_net(module__dropout=0.5), make_net(module__dropout=0.5)
    torch.manual_seed(1)
    alone.train(make_samples(), None, 3)
    torch.manual_seed(1)
    watched.train(make_samples(), make_samples(seed=1), 3)
    assert all(torch.equal(a, b) for a, b in zip(weights(alone), weights(watched)))
    expected = np.square(watched.outputs(make_samples(seed=1)) - make_samples(seed=1).y).mean()
    np.testing.assert_allclose(watched.history[-1, "valid_loss"], expected)


def test_validation_comes_in_large_batches_and_leaves_the_net_training(make_net: Any, make_samples: Any) -> None:
    seen = []

    class Watch(Callback):
        def on_batch_begin(self, net: Any, batch: Any, training: bool = False, **kwargs: Any) -> None:
            seen.append((training, len(batch[0]["x"])))

        def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
            assert net.module_.training == net.criterion_.training == training

    net = make_net(batch_size=8, callbacks=[("watch", Watch())])
    net.train(make_samples(16), make_samples(20), 2)
    assert seen == 2 * [(True, 8), (True, 8), (False, 20)]


def test_a_batch_is_gone_before_the_next_is_gathered(make_net: Any, make_samples: Any) -> None:
    alive = []

    class Watch(Callback):
        def on_batch_begin(self, net: Any, batch: Any, **kwargs: Any) -> None:
            assert all(tensor() is None for tensor in alive)
            alive[:] = [weakref.ref(batch[0]["x"])]

    make_net(callbacks=[("watch", Watch())]).train(make_samples(40), make_samples(20), 2)
    assert alive


def test_metadata_routing_does_not_come_between(make_net: Any, make_samples: Any) -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        assert make_net().train(make_samples(weight=np.ones(20)), None, 1) is None


# ---- stopping


class InTraining(Callback):
    """Raises in the middle of the second epoch."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.ended = False

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        if training and len(net.history) == 2:
            raise self.error

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self.ended = True


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143), MemoryError("full")])
def test_what_is_raised_in_a_step_is_raised_by_the_fit(make_net: Any, make_samples: Any, error: BaseException) -> None:
    raising = InTraining(error)
    net = make_net(callbacks=[("raising", raising)])
    with pytest.raises(type(error)) as caught:
        net.train(make_samples(), None, 5)
    assert caught.value is error
    assert raising.ended
    assert len(net.history) == 2


def test_a_callback_that_asks_for_a_stop_ends_training_normally(make_net: Any, make_samples: Any) -> None:
    class Stopping(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            if len(net.history) == 3:
                raise KeyboardInterrupt

    net = make_net(callbacks=[("stopping", Stopping())])
    assert net.train(make_samples(), None, 10) == "a callback stopped it"
    assert len(net.history) == 3


def test_callbacks_that_come_during_a_fit_or_without_a_class_are_told_of_each_batch(
    make_net: Any, make_samples: Any
) -> None:
    class Adding(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            if len(net.history) == 1:
                net.callbacks_.append(("late", late))

    told: list[str] = []
    early, late = Callback(), Callback()
    early.on_batch_end = lambda *args, **kwargs: told.append("early")
    late.on_batch_begin = lambda *args, **kwargs: told.append("late")
    make_net(callbacks=[("early", early), ("adding", Adding())]).train(make_samples(20), None, 3)
    assert told.count("early") == 9
    assert told.count("late") == 6


def test_a_listener_that_answers_true_ends_training_normally(make_net: Any, make_samples: Any) -> None:
    told: list[dict[str, Any]] = []

    def listen(record: dict[str, Any]) -> bool:
        told.append(record)
        return len(told) == 2

    assert make_net(callbacks=[("listener", EpochListener(listen, listen))]).train(make_samples(), None, 10)
    assert len(told) == 2
    assert told[0].keys() >= {"epoch", "train_loss", "grad_norm", "lr", "dur"}
    assert all(type(value) in (int, float) for record in told for value in record.values())


def test_early_stopping_ends_training_normally(make_net: Any, make_samples: Any) -> None:
    stopping = EarlyStopping(patience=2, threshold=1e9, threshold_mode="abs", sink=lambda *_: None)
    net = make_net(callbacks=[("early", stopping)])
    assert net.train(make_samples(), make_samples(seed=1), 50) == "a callback stopped it"
    assert len(net.history) < 10


SLOW_FIT = """
import signal

import numpy as np
from seqpipe import SequenceRegressor
from skorch.callbacks import Callback

class Telling(Callback):
    def on_batch_begin(self, net, training=False, **kwargs):
        if len(net.history) == 2:
            print("training", flush=True)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
rng = np.random.default_rng(0)
X = rng.normal(size=(64, 20, 2))
SequenceRegressor(max_epochs=10**6, net_params={"callbacks": [("telling", Telling())]}).fit(X, X[:, 0, 0])
"""


def test_ctrl_c_in_the_middle_of_a_fit_ends_the_process_as_ctrl_c_does() -> None:
    command = [sys.executable, "-c", SLOW_FIT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "training\n"
            os.kill(process.pid, signal.SIGINT)
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGINT
    assert told.rstrip().endswith("KeyboardInterrupt")
