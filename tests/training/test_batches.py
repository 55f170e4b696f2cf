"""Batches: every sample once an epoch, like lengths together, in an order that the seed decides."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe.sequences import Sequences, Windows
from seqpipe.training import Batches, Samples
from seqpipe.training._batches import _prefetched

CPU = torch.device("cpu")
some = settings(max_examples=60, deadline=None)


def ragged(lengths: list[int] | np.ndarray) -> Samples:
    """Sequences that hold their own number at every step, as do targets and weights."""
    values = np.repeat(np.arange(len(lengths), dtype=float), lengths)
    X = Sequences(values[:, None], np.concatenate([[0], np.cumsum(lengths)]))
    return Samples(X, np.arange(len(lengths)), np.arange(len(lengths), dtype=float))


def shuffled(samples: Samples, batch_size: int, seed: int = 0) -> Batches:
    return Batches(samples, batch_size, CPU, np.random.default_rng(seed))


def order(batches: Batches) -> list[list[int]]:
    return [inputs["indices"].tolist() for inputs, _ in batches]


def padding(batches: Batches) -> int:
    return sum(int((x["x"].shape[1] - x.get("lengths", torch.tensor([x["x"].shape[1]]))).sum()) for x, _ in batches)


@some
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=70),
    batch_size=st.integers(1, 80),
    seed=st.one_of(st.none(), st.integers(0, 5)),
)
def test_every_sequence_comes_once_an_epoch_with_all_that_is_its_own(
    lengths: list[int], batch_size: int, seed: int | None
) -> None:
    random = None if seed is None else np.random.default_rng(seed)
    batches = Batches(ragged(lengths), batch_size, CPU, random)
    for _ in range(2):
        seen = list(batches)
        assert len(seen) == len(batches)
        assert sorted(i for inputs, _ in seen for i in inputs["indices"]) == list(range(len(lengths)))
        for inputs, y in seen:
            indices, x = inputs["indices"], inputs["x"]
            assert 1 <= len(indices) <= batch_size
            assert y.tolist() == inputs["weight"].tolist() == indices.tolist()
            own = [lengths[i] for i in indices]
            assert inputs.get("lengths", torch.full((len(indices),), x.shape[1])).tolist() == own
            for row, i in zip(x[:, :, 0].tolist(), indices):
                assert row == [i] * lengths[i] + [0] * (max(own) - lengths[i])


@some
@given(n=st.integers(1, 60), batch_size=st.integers(1, 70), seed=st.one_of(st.none(), st.integers(0, 5)))
def test_every_window_comes_once_an_epoch(n: int, batch_size: int, seed: int | None) -> None:
    X = Windows(np.arange(n + 3.0)[:, None], np.arange(n), 4)
    batches = Batches(Samples(X), batch_size, CPU, None if seed is None else np.random.default_rng(seed))
    seen = list(batches)
    assert len(seen) == len(batches)
    assert sorted(i for inputs, _ in seen for i in inputs["indices"]) == list(range(n))
    for inputs, y in seen:
        assert inputs["x"][:, :, 0].tolist() == [[i, i + 1, i + 2, i + 3] for i in inputs["indices"]]
        assert "lengths" not in inputs
        assert y.numel() == 0


def test_like_lengths_come_together_and_save_most_of_the_padding() -> None:
    lengths = np.random.default_rng(0).geometric(0.02, size=2000)
    random_order = np.random.default_rng(1).permutation(2000).reshape(-1, 40)
    unsorted = sum(int((lengths[b].max() - lengths[b]).sum()) for b in random_order)
    assert padding(shuffled(ragged(lengths), 40)) < 0.4 * unsorted


def test_batches_of_like_length_do_not_come_in_order_of_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, size=400)
    longest = [inputs["x"].shape[1] for inputs, _ in shuffled(ragged(lengths), 10)]
    assert longest != sorted(longest)
    assert longest != sorted(longest, reverse=True)


@pytest.mark.parametrize("lengths", [[3] * 40, list(range(1, 41))], ids=["equal", "ragged"])
def test_the_seed_decides_the_order_and_every_epoch_has_its_own(lengths: list[int]) -> None:
    samples = ragged(lengths)
    batches, again = shuffled(samples, 8), shuffled(samples, 8)
    first, second = order(batches), order(batches)
    assert [first, second] == [order(again), order(again)]
    assert first != second
    assert first != order(shuffled(samples, 8, seed=1))


def test_one_batch_holds_all_in_random_order() -> None:
    (indices,) = order(shuffled(ragged(list(range(1, 30))), 29))
    assert indices != sorted(indices)


def test_prediction_goes_by_falling_length() -> None:
    lengths = [5, 1, 4, 1, 3]
    assert order(Batches(ragged(lengths), 2, CPU)) == [[0, 2], [4, 1], [3]]
    assert order(Batches(ragged([2, 2, 2]), 2, CPU)) == [[0, 1], [2]]


def test_the_last_batch_may_hold_one() -> None:
    sizes = [len(b) for b in order(Batches(ragged([2] * 9), 4, CPU))]
    assert sizes == [4, 4, 1]


def test_read_only_data_give_tensors_that_share_nothing_with_them() -> None:
    samples = ragged([2, 2])
    samples.X.values.setflags(write=False)
    (inputs, _), *_ = Batches(samples, 2, CPU)
    inputs["x"].zero_()
    assert samples.X.values[:, 0].tolist() == [0, 0, 1, 1]


def test_taking_samples_takes_targets_and_weights_along() -> None:
    part = ragged([1, 2, 3]).take(np.array([2, 0]))
    assert part.X.lengths.tolist() == [3, 1]
    assert part.y is not None
    assert part.weight is not None
    assert part.y.tolist() == part.weight.tolist() == [2, 0]
    assert Samples(part.X).take(np.array([1])).y is None


def test_the_next_batch_is_gathered_while_the_caller_has_the_last_and_no_further_one() -> None:
    begun = [threading.Event() for _ in range(5)]

    def gather(i: int) -> int:
        begun[i].set()
        return i

    seen = []
    for i in _prefetched(gather, range(5)):
        seen.append(i)
        assert i == 4 or begun[i + 1].wait(10)
        assert not any(event.is_set() for event in begun[i + 2 :])
    assert seen == [0, 1, 2, 3, 4]
    assert list(_prefetched(gather, [])) == []


def test_what_fails_in_the_thread_is_raised_where_the_batch_is_wanted() -> None:
    batches = _prefetched(lambda i: 1 // (2 - i), range(4))
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(ZeroDivisionError, match="by zero"):
        next(batches)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gets_what_a_cpu_gets() -> None:
    samples = ragged([5, 1, 4, 1, 3])
    for (here, y), (there, z) in zip(Batches(samples, 2, CPU), Batches(samples, 2, torch.device("cuda:0"))):
        assert there["x"].device.type == there["weight"].device.type == z.device.type == "cuda"
        assert torch.equal(here["x"], there["x"].cpu())
        assert torch.equal(y, z.cpu())
        assert torch.equal(torch.as_tensor(here["indices"]), torch.as_tensor(there["indices"]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batches_have_the_samples_type(dtype: Any) -> None:
    samples = ragged([1, 3])
    (inputs, _), *_ = Batches(Samples(samples.X.astype(dtype)), 2, CPU)
    assert inputs["x"].dtype == torch.from_numpy(np.empty(0, dtype)).dtype
