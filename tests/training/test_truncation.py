"""Truncated back-propagation: the gradients of its definition, the state carried, the losses weighted, the plan kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skorch.callbacks import Callback
from torch import Tensor

from seqpipe.cells import GRUCell, LSTMCell
from seqpipe.networks import StepNetwork
from seqpipe.recurrence import Recurrent
from seqpipe.sequences import Sequences
from seqpipe.training import Samples, StepLoss, Truncation, check_tbptt

EQUAL, RAGGED = [9, 9, 9, 9], [9, 2, 5, 7]
REGIMES = {"(1, n)": (1, 9), "(n, n)": (9, 9), "k1 = k2": (3, 3), "k1 < k2": (2, 5), "no divisors": (4, 7)}


def step_samples(lengths: list[int], seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(n, 2)) for n in lengths]
    y = [np.cumsum(x[:, :1], axis=0) for x in X]
    return Samples(Sequences.from_arrays(X), Sequences.from_arrays(y))


@pytest.fixture
def make_step_net(make_net: Any) -> Any:
    def make(**kwargs: Any) -> Any:
        settings = {
            "module": StepNetwork,
            "module__recurrent": lambda n: Recurrent(GRUCell(n, 4).double()),
            "objective": StepLoss(),
            "optimizer": torch.optim.SGD,
            "lr": 0.1,
            "batch_size": 4,
        }
        return make_net(**{**settings, **kwargs})

    return make


class Gradients(Callback):
    """Keeps the gradient of each update."""

    def __init__(self) -> None:
        self.seen: list[list[Tensor]] = []

    def on_grad_computed(self, net: Any, **kwargs: Any) -> None:
        self.seen.append([p.grad.clone() for p in net.module_.parameters()])


def reference(net: Any, samples: Samples, k1: int, k2: int) -> Iterator[list[Tensor]]:
    """Give the gradients of all updates by the definition: row by row, step by step, with nothing but autograd."""
    parameters = list(net.module_.parameters())
    cell, head = net.module_.recurrent.cells[0], net.module_.head
    X, Y = ([torch.from_numpy(a) for a in values] for values in (samples.X, samples.y))
    states = [{0: cell.initial_state(1)} for _ in X]
    longest = max(map(len, X))
    for stop in [*range(k1, longest, k1), longest]:
        first, start = stop - (k1 if stop % k1 == 0 else stop % k1), max(0, stop - k2)
        errors = []
        for x, y, seen in zip(X, Y, states):
            state = seen.get(start)
            for t in range(start, min(stop, len(x))):
                output, state = cell.step(cell.project(x[None, t : t + 1])[:, 0], state)
                seen[t + 1] = state.detach()
                if t >= first:
                    errors.append((head(output)[0] - y[t]).square().mean())
        yield list(torch.autograd.grad(torch.stack(errors).mean(), parameters))


@pytest.mark.parametrize("lengths", [EQUAL, RAGGED], ids=["equal", "ragged"])
@pytest.mark.parametrize("regime", REGIMES)
def test_every_updates_gradient_is_that_of_the_definition(make_step_net: Any, regime: str, lengths: list[int]) -> None:
    k1, k2 = REGIMES[regime]
    samples, gradients = step_samples(lengths), Gradients()
    net = make_step_net(truncation=Truncation(k1, k2), callbacks=[("gradients", gradients)])
    expected, twin = [], make_step_net()
    optimizer = torch.optim.SGD(twin.module_.parameters(), lr=0.1)
    for found in reference(twin, samples, k1, k2):
        expected.append(found)
        for parameter, gradient in zip(twin.module_.parameters(), found):
            parameter.grad = gradient
        optimizer.step()
    net.train(samples, None, 1)
    assert len(gradients.seen) == len(expected) == Truncation(k1, k2).n_updates(9)
    for found, wanted in zip(gradients.seen, expected):
        for a, b in zip(found, wanted):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("regime", [(1, 1), (3, 3), (2, 5), (1, 9)])
def test_a_shorter_way_back_gives_another_gradient(make_step_net: Any, regime: tuple[int, int]) -> None:
    found, full = Gradients(), Gradients()
    make_step_net(truncation=Truncation(*regime), callbacks=[("g", found)]).train(step_samples(EQUAL), None, 1)
    make_step_net(truncation=Truncation(9, 9), callbacks=[("g", full)]).train(step_samples(EQUAL), None, 1)
    assert not any(torch.allclose(g[0], full.seen[0][0], rtol=1e-3) for g in found.seen)


@pytest.mark.parametrize("lengths", [EQUAL, RAGGED], ids=["equal", "ragged"])
@pytest.mark.parametrize("objective", [StepLoss(), StepLoss("last"), StepLoss(3, steps_per_sample=2.5)])
def test_one_part_of_all_steps_gives_the_bits_of_no_truncation(
    make_step_net: Any, weights: Any, lengths: list[int], objective: StepLoss
) -> None:
    cut = make_step_net(truncation=Truncation(9, 9), objective=objective, batch_size=2)
    whole = make_step_net(objective=objective, batch_size=2)
    for net in (cut, whole):
        net.train(step_samples(lengths), None, 3)
    assert all(torch.equal(a, b) for a, b in zip(weights(cut), weights(whole)))
    assert cut.history[:, "train_loss"] == whole.history[:, "train_loss"]


@pytest.mark.parametrize("weight", [None, np.array([0.2, 1.3, 2.0, 0.5])], ids=["plain", "weighted"])
@pytest.mark.parametrize("steps_per_sample", [None, 5.75])
def test_without_learning_the_parts_losses_make_the_batchs(
    make_step_net: Any, steps_per_sample: float | None, weight: Any
) -> None:
    objective = StepLoss(steps_per_sample=steps_per_sample)
    losses = []
    for truncation in (None, Truncation(2, 2), Truncation(2, 5), Truncation(4, 7)):
        net = make_step_net(truncation=truncation, objective=objective, lr=0.0)
        net.train(dataclasses.replace(step_samples(RAGGED), weight=weight), None, 1)
        losses += net.history[:, "train_loss"]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-12)


def test_the_state_goes_on_from_part_to_part(make_step_net: Any) -> None:
    outputs: list[Tensor] = []

    class Outputs(Callback):
        def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
            outputs.append(kwargs["y_pred"].detach())

    samples = step_samples(EQUAL)
    net = make_step_net(truncation=Truncation(2, 5), lr=0.0, callbacks=[("outputs", Outputs())], batch_size=1)
    net.train(samples.take(np.array([2])), None, 1)
    np.testing.assert_allclose(torch.cat(outputs, dim=1), net.outputs(samples.take(np.array([2]))), rtol=1e-12)


@pytest.mark.parametrize("cell", [GRUCell, LSTMCell])
def test_stacked_layers_of_any_state_are_carried(make_step_net: Any, cell: Any) -> None:
    layers = {"module__recurrent": lambda n: Recurrent(cell(n, 3).double(), num_layers=2)}
    cut, whole = (make_step_net(truncation=t, lr=0.0, **layers) for t in (Truncation(2, 3), None))
    for net in (cut, whole):
        net.train(step_samples(RAGGED), None, 1)
    np.testing.assert_allclose(cut.history[:, "train_loss"], whole.history[:, "train_loss"], rtol=1e-12)


def test_a_new_batch_begins_at_the_initial_state(make_step_net: Any) -> None:
    net = make_step_net(truncation=Truncation(3, 3), lr=0.0, batch_size=1)
    net.train(step_samples(EQUAL), None, 2)
    first, second = net.history[:, "train_loss"]
    np.testing.assert_allclose(first, second, rtol=1e-12)


def test_parts_without_a_loss_make_no_update_but_carry_the_state(make_step_net: Any) -> None:
    found, last = Gradients(), StepLoss("last")
    net = make_step_net(truncation=Truncation(2, 9), objective=last, callbacks=[("gradients", found)])
    whole = Gradients()
    net.train(step_samples(EQUAL), None, 1)
    make_step_net(objective=last, callbacks=[("gradients", whole)]).train(step_samples(EQUAL), None, 1)
    assert len(found.seen) == 1
    for a, b in zip(found.seen[0], whole.seen[0]):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-13)


def test_validation_is_not_cut(make_step_net: Any) -> None:
    sizes = []

    class Sizes(Callback):
        def on_batch_begin(self, net: Any, batch: Any, training: bool = False, **kwargs: Any) -> None:
            sizes.append((training, batch[0]["x"].shape[1]))

    net = make_step_net(truncation=Truncation(4, 4), callbacks=[("sizes", Sizes())])
    net.train(step_samples(EQUAL), step_samples(EQUAL, seed=1), 1)
    assert sizes == [(True, 4), (True, 4), (True, 1), (False, 9)]


@settings(max_examples=200, deadline=None)
@given(n=st.integers(1, 40), k1=st.integers(1, 45), further=st.integers(0, 45))
def test_every_step_is_scored_once_with_its_way_back(n: int, k1: int, further: int) -> None:
    truncation = Truncation(k1, k1 + further)
    spans = truncation.spans(n)
    assert len(spans) == truncation.n_updates(n)
    assert [t for s in spans for t in range(s.first, s.stop)] == list(range(n))
    for span, following in zip(spans, [*spans[1:], None]):
        assert span.start == max(0, span.stop - truncation.k2)
        assert span.start <= span.first < span.stop
        assert span.start <= span.mark <= span.stop
        assert following is None or span.mark == following.start


@pytest.mark.parametrize("tbptt", [5, "(1, 2)", (1,), (1, 2, 3), (0, 3), (1.5, 3), (True, 3), {1, 2}])
def test_what_is_not_two_numbers_of_steps_is_refused(tbptt: Any) -> None:
    with pytest.raises(ValueError, match="'tbptt' parameter of Model must be None or two ints .* Got"):
        check_tbptt(tbptt, bidirectional=False, owner="Model")


def test_a_way_back_shorter_than_the_steps_between_updates_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"nothing would be learned at the first 3 of each 5 steps\. Use tbptt=\(2, 2\)"
    ):
        check_tbptt((5, 2), bidirectional=False, owner="Model")


def test_both_directions_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be used with bidirectional=True"):
        check_tbptt((5, 5), bidirectional=True, owner="Model")


def test_a_list_from_a_recipe_is_taken() -> None:
    assert check_tbptt([2, 5], bidirectional=False, owner="Model") == Truncation(2, 5)
    assert check_tbptt(None, bidirectional=True, owner="Model") is None


@pytest.mark.parametrize("engine", ["c", "loop"])
def test_every_engine_gives_the_same_updates(
    make_step_net: Any, compiled: None, monkeypatch: pytest.MonkeyPatch, engine: str, weights: Any
) -> None:
    nets = []
    for name in ("fused", engine):
        monkeypatch.setenv("SEQPIPE_ENGINE", name)
        nets.append(make_step_net(truncation=Truncation(2, 5)))
        nets[-1].train(step_samples(RAGGED), None, 2)
    for a, b in zip(*map(weights, nets)):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
