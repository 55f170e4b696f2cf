"""Compilation time of engines, separate from the time of a fit."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from seqpipe.cells import Cell
from seqpipe.estimators import Forecaster, SequenceClassifier, SequenceRegressor
from seqpipe.recurrence import compile_seconds
from seqpipe.recurrence.engines._clock import compiling

X = np.random.default_rng(0).normal(size=(20, 5, 2))
y = np.arange(20) % 2


def test_the_clock_counts_what_is_inside_and_what_is_nested_once():
    before = compile_seconds()
    with compiling():
        inner = compile_seconds()
        with compiling():
            threading.Event().wait(0.02)
        assert compile_seconds() == inner  # until the outer one ends
    assert compile_seconds() - before >= 0.02
    after = compile_seconds()
    threading.Event().wait(0.02)
    assert compile_seconds() == after


def test_the_clock_counts_what_fails():
    before = compile_seconds()
    with pytest.raises(ZeroDivisionError, match="division by zero"), compiling():
        _ = 1 / 0
    assert compile_seconds() > before


def test_threads_do_not_count_each_other():
    before, found = compile_seconds(), []

    @compiling()
    def compile_in_a_thread() -> None:
        threading.Event().wait(0.02)

    def work() -> None:
        compile_in_a_thread()
        found.append(compile_seconds())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found[0] >= 0.02
    assert compile_seconds() == before


class New(Cell):
    """A cell that no other test compiles."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        import torch

        super().__init__(input_size, hidden_size)
        self.w = torch.nn.Linear(input_size + hidden_size, hidden_size)

    def initial_state(self, batch_size):
        return self.w.weight.new_zeros(batch_size, self.hidden_size)

    def step(self, x_t, h):
        import torch

        h = torch.sin(self.w(torch.cat([x_t, h], dim=1))) * 0.937
        return h, h


def test_a_fit_that_compiles_says_for_how_long_and_does_not_count_it_as_training(compiled):
    first = SequenceClassifier(New, hidden_size=3, max_epochs=2, random_state=0)
    counted = compile_seconds()
    first.fit(X, y)
    assert first.compile_seconds_ > 0
    assert first.compile_seconds_ <= compile_seconds() - counted
    again = SequenceClassifier(New, hidden_size=3, max_epochs=2, random_state=0).fit(X, y)
    assert again.compile_seconds_ < first.compile_seconds_
    assert all(epoch["dur"] >= 0 for epoch in first.history_)


def test_a_fit_that_goes_on_adds_to_what_it_compiled():
    model = SequenceRegressor(hidden_size=3, max_epochs=1, random_state=0, warm_start=True).fit(X, y)
    model.compile_seconds_ = 5.0
    assert model.fit(X, y).compile_seconds_ >= 5.0
    assert model.set_params(warm_start=False).fit(X, y).compile_seconds_ < 5.0


def test_an_estimator_inside_another_one_says_it_too():
    model = Forecaster(SequenceRegressor(hidden_size=3, max_epochs=1), window=4).fit(np.sin(np.arange(40) / 5))
    assert model.estimator_.compile_seconds_ >= 0
