"""Reproducible random numbers of each fit, with torch's global generators."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor

from seqpipe.recurrence import forked_generators, random_state

__all__ = ["FirstUpdate", "Turn", "seeded"]


class Turn:
    """Exclusive use of torch's generators by one fit of the process.

    Parameters
    ----------
    seed : int
        Seed of the generators.
    device : str
        Device whose generator is used besides that of the CPU.
    """

    def __init__(self, seed: int, device: str) -> None:
        self._device = torch.device(device)
        self._stack = ExitStack()
        self._is_over = False
        self._take()
        torch.manual_seed(seed)

    def end(self) -> None:
        """Restore the state of the generators and release them to the next fit; may be called more than once."""
        self._is_over = True
        self._stack.close()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Release the generators in this context, in which this fit waits, such as for another one."""
        if self._is_over:
            yield
            return
        host, *device = random_state(self._device)
        self._stack.close()
        try:
            yield
        finally:
            self._take()
            torch.set_rng_state(host)
            for state in device:
                torch.get_device_module(self._device).set_rng_state(state, self._device)

    def _take(self) -> None:
        self._stack.enter_context(forked_generators(self._device))


@contextmanager
def seeded(seed: int, device: str) -> Iterator[Turn]:
    """Seed torch's generators in this context, and restore their state afterwards."""
    turn = Turn(seed, device)
    try:
        yield turn
    finally:
        turn.end()


class FirstUpdate(Callback):
    """Ends a fit's turn after the first update if it used no random numbers, so that fits in other threads can proceed.

    The main thread keeps its turn, so that random numbers used only in later updates are reproducible there.

    Parameters
    ----------
    turn : Turn
        The turn to end.
    """

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.before: Tensor | None = None
        self.decided = threading.current_thread() is threading.main_thread()

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Store the state of the generator before the first update."""
        if training and not self.decided and self.before is None:
            self.before = _generator_state(net.device)

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """End the turn if the first update has not changed the state."""
        if not training or self.decided:
            return
        self.decided = True
        if self.before is not None and torch.equal(self.before, _generator_state(net.device)):
            self.turn.end()


def _generator_state(device: str) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.startswith("cuda") else torch.get_rng_state()
