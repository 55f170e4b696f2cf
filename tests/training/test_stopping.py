"""One protocol for stops: what a callback asks for, and what a Ctrl-C does."""

from __future__ import annotations

import signal
import threading

import pytest

from seqpipe.training._stopping import Diverged, StopTraining, requested_stops


def test_a_keyboard_interrupt_of_a_callback_is_a_wish_to_stop() -> None:
    with pytest.raises(StopTraining, match="a callback stopped it") as caught, requested_stops():
        raise KeyboardInterrupt
    assert isinstance(caught.value.__cause__, KeyboardInterrupt)


def test_a_ctrl_c_stays_what_it_is_even_where_a_callback_raises_it_again() -> None:
    def callback() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise KeyboardInterrupt from None

    with pytest.raises(KeyboardInterrupt), requested_stops():
        callback()


@pytest.mark.parametrize("error", [StopTraining("enough"), Diverged("the loss is not finite"), ValueError("wrong")])
def test_everything_else_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, requested_stops():
        raise error
    assert caught.value is error


def test_callbacks_ask_for_a_stop_in_threads_too() -> None:
    found: list[BaseException] = []

    def fit() -> None:
        try:
            with requested_stops():
                raise KeyboardInterrupt
        except StopTraining as error:
            found.append(error)

    thread = threading.Thread(target=fit)
    thread.start()
    thread.join()
    assert len(found) == 1
