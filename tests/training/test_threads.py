"""Small steps run on one thread, and the user's number of threads comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from multiprocessing.pool import ThreadPool
from typing import Any

import pytest
import torch
from skorch.callbacks import Callback

from seqpipe.recurrence import allowed_threads
from seqpipe.training._threads import threads_for


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("batch_size", "hidden_size", "n_threads"), [(32, 32, 1), (256, 512, 2)])
def test_only_large_steps_get_all_threads(batch_size: int, hidden_size: int, n_threads: int) -> None:
    with threads_for(batch_size, hidden_size):
        assert torch.get_num_threads() == n_threads
    assert torch.get_num_threads() == 2


def test_the_number_of_threads_comes_back_after_a_failure() -> None:
    with pytest.raises(RuntimeError, match="no more"), threads_for(1, 1):
        raise RuntimeError("no more")
    assert torch.get_num_threads() == 2


def test_a_small_net_trains_and_predicts_on_one_thread(make_net: Any, make_samples: Any) -> None:
    seen = []

    class Counting(Callback):
        def on_batch_end(self, net: Any, **kwargs: Any) -> None:
            seen.append(torch.get_num_threads())

    net = make_net(callbacks=[("counting", Counting())])
    net.module_.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    net.train(make_samples(), None, 1)
    net.outputs(make_samples())
    assert set(seen) == {1}
    assert torch.get_num_threads() == 2


def test_a_thread_that_leaves_before_another_gets_its_number_back() -> None:
    entered, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with threads_for(1, 1):
            entered.set()
            assert leave.wait(30)

    other = threading.Thread(target=stay)
    with threads_for(1, 1):
        other.start()
        assert entered.wait(30)
    assert torch.get_num_threads() == 2
    leave.set()
    other.join()
    found: list[int] = []
    newcomer = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    newcomer.start()
    newcomer.join()
    assert found == [2]


@pytest.mark.parametrize(("n_workers", "share"), [(1, 4), (2, 2), (3, 1), (8, 1)])
def test_the_workers_of_a_pool_of_threads_divide_them(n_workers: int, share: int) -> None:
    def seen(size: int) -> tuple[int | None, int]:
        with threads_for(size, size):
            return allowed_threads.get(), torch.get_num_threads()

    torch.set_num_threads(4)
    with ThreadPool(n_workers) as pool:
        assert pool.map(seen, [4, 512]) == [(share, 1), (share, share)]


def test_a_net_inside_the_run_of_another_changes_nothing() -> None:
    with threads_for(1, 1):
        with threads_for(512, 512):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
