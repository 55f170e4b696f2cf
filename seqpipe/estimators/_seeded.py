"""A fit's own random numbers, though torch's generators belong to the process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor

from seqpipe.recurrence import forked_generators

__all__ = ["FirstUpdate", "Turn", "seeded"]


class Turn:
    """One fit's time with torch's generators; in it no other fit of this process draws.

    Parameters
    ----------
    seed : int
    device : str
    """

    def __init__(self, seed: int, device: str) -> None:
        self._stack = ExitStack()
        self._stack.enter_context(forked_generators(device))
        torch.manual_seed(seed)

    def end(self) -> None:
        """Put the generators back as they were, and let the next fit have them; do nothing if that was done."""
        self._stack.close()


@contextmanager
def seeded(seed: int, device: str) -> Iterator[Turn]:
    """Seed torch's generators inside, and put them back as they were."""
    turn = Turn(seed, device)
    try:
        yield turn
    finally:
        turn.end()


class FirstUpdate(Callback):
    """Ends a fit's turn after its first update if that drew nothing: fits in threads then go on side by side.

    The main thread keeps its turn, since what draws later, if only now and then, is to draw the same numbers there.

    Parameters
    ----------
    turn : Turn
    """

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.before: Tensor | None = None
        self.decided = threading.current_thread() is threading.main_thread()

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Remember the generator before the first update."""
        if training and not self.decided and self.before is None:
            self.before = _generator_state(net.device)

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Compare it after the first update."""
        if not training or self.decided:
            return
        self.decided = True
        if self.before is not None and torch.equal(self.before, _generator_state(net.device)):
            self.turn.end()


def _generator_state(device: str) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.startswith("cuda") else torch.get_rng_state()
