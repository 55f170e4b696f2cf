"""What is changed for the whole process is put back."""

from __future__ import annotations

import csv
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from seqpipe import process
from seqpipe.process import (
    DeferredSignals,
    Shared,
    allow_csv_cells,
    command_line,
    deferred_signals,
    hangup_exits,
    intercepted_warnings,
    noted_interrupts,
    variable,
)


def state() -> tuple[Any, ...]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = [signal.getsignal(number) for number in numbers]
    return *handlers, sys.unraisablehook, warnings.showwarning, csv.field_size_limit(), os.environ.get("SEQPIPE_DEBUG")


@pytest.mark.usefixtures("heeded_hangup")
@pytest.mark.parametrize(
    "change",
    [
        partial(command_line, print),
        noted_interrupts,
        deferred_signals,
        hangup_exits,
        partial(intercepted_warnings, lambda message, category: True),
        Shared(partial(allow_csv_cells, 7)).held,
        partial(variable, "SEQPIPE_DEBUG", "7"),
    ],
    ids=["command line", "interrupts", "deferred", "hangup", "warnings", "csv", "variable"],
)
@pytest.mark.parametrize("error", [None, KeyError("inside")])
def test_a_change_ends_with_its_block(change: Any, error: Exception | None, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state()
    try:
        with change():
            assert state() != before
            if error is not None:
                raise error
    except KeyError:
        pass
    assert state() == before


def test_sigterm_ends_a_command_with_its_exit_code() -> None:
    with pytest.raises(SystemExit) as caught, command_line(print):
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.code == 143


@pytest.mark.usefixtures("heeded_hangup")
def test_the_end_of_the_terminal_ends_what_it_is_told_to() -> None:
    with pytest.raises(SystemExit) as caught, hangup_exits():
        signal.raise_signal(signal.SIGHUP)
    assert caught.value.code == 129


def defer(*steps: Callable[[DeferredSignals], object]) -> None:
    with deferred_signals() as deferred:
        for step in steps:
            step(deferred)


def interrupt(deferred: DeferredSignals) -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("heeded_hangup")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=lambda given: str(given)
)
def test_a_deferred_signal_without_a_handler_exits_at_the_end(number: signal.Signals, code: int) -> None:
    done: list[int] = []
    with pytest.raises(SystemExit) as caught:
        defer(lambda _: signal.raise_signal(number), lambda deferred: done.extend(deferred.pending))
    assert (done, caught.value.code) == ([number], code)


def test_a_deferred_interrupt_is_delivered_on_request_and_after_an_error() -> None:
    done: list[object] = []
    with pytest.raises(KeyboardInterrupt):
        defer(interrupt, DeferredSignals.deliver, done.append)
    with pytest.raises(KeyboardInterrupt):
        defer(interrupt, lambda _: {}["no such key"], done.append)
    assert done == []


def test_a_second_signal_is_not_deferred() -> None:
    done: list[object] = []
    with pytest.raises(KeyboardInterrupt):
        defer(interrupt, interrupt, done.append)
    assert done == []


def test_other_threads_defer_nothing() -> None:
    with ThreadPoolExecutor(1) as pool, deferred_signals() as outer:
        assert pool.submit(lambda: deferred_signals().__enter__().pending).result() == []
        assert outer.pending == []


def test_a_signal_that_strikes_where_no_exception_can_be_raised_is_sent_again() -> None:
    class Freed:
        def __del__(self) -> None:
            raise KeyboardInterrupt

    def wait() -> None:
        Freed()
        time.sleep(20)

    with pytest.raises(KeyboardInterrupt), command_line(print):
        wait()


def test_an_interrupt_is_noted_and_handled() -> None:
    with noted_interrupts() as noted:
        assert noted == []
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert noted == [signal.SIGINT]


def test_a_handler_that_was_set_inside_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    try:
        with noted_interrupts():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_warnings_are_taken_or_shown() -> None:
    taken: list[str] = []

    def take(message: Warning | str, category: type[Warning]) -> bool:
        taken.append(str(message))
        return category is UserWarning

    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        with intercepted_warnings(take):
            warnings.warn("mine", UserWarning, stacklevel=1)
            warnings.warn("not mine", RuntimeWarning, stacklevel=1)
    assert taken == ["mine", "not mine"]
    assert [str(warning.message) for warning in shown] == ["not mine"]


def test_threads_share_a_change_until_the_last_has_left() -> None:
    events: list[str] = []

    def change() -> Any:
        events.append("changed")
        return lambda: events.append("undone")

    shared, inside, leave = Shared(change), threading.Event(), threading.Event()

    def hold() -> None:
        with shared.held():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10)
    with shared.held():
        assert events == ["changed"]
    assert events == ["changed"]
    leave.set()
    thread.join()
    assert events == ["changed", "undone"]


def test_the_docstring_lists_every_change() -> None:
    makers = set(process.__all__) - {"DeferredSignals", "Shared"}
    assert all(f"`{name}`" in (process.__doc__ or "") for name in makers)
