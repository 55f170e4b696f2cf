"""How long to train: small data need updates, not epochs."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from seqpipe.training import auto_batch_size, auto_epochs

counts = st.integers(1, 10**7)


@given(counts)
def test_a_batch_is_a_power_of_two_from_32_to_256_or_all_there_is(n: int) -> None:
    assert auto_batch_size(n) in ({n} if n <= 32 else {32, 64, 128, 256})


@given(counts.filter(lambda n: n >= 1024))
def test_an_epoch_of_enough_samples_has_at_least_32_batches(n: int) -> None:
    assert n / auto_batch_size(n) >= 32


@given(counts, counts)
def test_more_samples_never_make_smaller_batches(n: int, m: int) -> None:
    assert auto_batch_size(min(n, m)) <= auto_batch_size(max(n, m))


@given(counts)
def test_the_budget_is_at_least_600_updates_and_10_epochs_and_30_epochs_of_few_updates(n_batches: int) -> None:
    epochs = auto_epochs(n_batches)
    assert epochs >= max(10, math.ceil(600 / n_batches))
    assert epochs >= 30 or epochs * n_batches > 2000 - n_batches
    assert epochs == 10 or epochs <= 30 or (epochs - 1) * n_batches < 600


@given(counts, counts)
def test_more_batches_never_mean_more_epochs(n: int, m: int) -> None:
    assert auto_epochs(max(n, m)) <= auto_epochs(min(n, m))


@given(st.integers(1, 30_000))
def test_no_data_set_gets_fewer_than_600_updates(n: int) -> None:
    n_batches = -(-n // auto_batch_size(n))
    assert n_batches * auto_epochs(n_batches) >= 600
