"""`Keeper`: writes the checkpoints of a fit, at most one update late when a signal arrives."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from seqpipe.process import DeferredSignals, deferred_signals
from seqpipe.training._checkpoint import Checkpoint
from seqpipe.training._checkpoint_folder import CheckpointFolder
from seqpipe.training._snapshot import continuing

__all__ = ["Keeper", "States"]

#: The states of all networks of a fit; see `seqpipe.training._snapshot`.
States = list[dict[str, Any]]

#: Seconds between two checkpoints by default, and the longest share of the time that writing them takes.
_SECONDS, _SHARE = 10.0, 0.02


class Keeper:
    """Writes the checkpoints of a fit, and holds the state that the fit continues from.

    While it trains, signals are handled between updates, after a checkpoint is written.

    Parameters
    ----------
    settings : Checkpoint
        Its folder is not used.
    folder : CheckpointFolder
        Where the checkpoints are.
    identity : dict
        Describes the fit; part of each checkpoint.
    found : dict, optional
        The checkpoint to continue from.
    shorter : dict, optional
        The last checkpoint of a fit that is the beginning of this one, which has more epochs.
    is_abandoned : callable () -> bool
        Returns whether the fit is ended early because its result is not used, so that its end is not written.
    """

    def __init__(
        self,
        settings: Checkpoint,
        folder: CheckpointFolder,
        identity: dict[str, Any],
        found: dict[str, Any] | None,
        is_abandoned: Callable[[], bool],
        shorter: dict[str, Any] | None = None,
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._identity = identity
        self._is_abandoned = is_abandoned
        #: What a fit with more epochs continues from, with the state at the end of this one; None if it cannot.
        self.open_end: dict[str, Any] | None = None if found is None else found.get("open_end")
        self.facts: dict[str, Any] | None = None if found is None else found["facts"]
        self.states: States | None = None if found is None else found["states"]
        self._shorter = shorter
        self._stack = ExitStack()
        self._signals: DeferredSignals | None = None
        self._n_updates = 0
        self._written = (0, time.monotonic())
        self._cost = self._validation = 0.0
        self._is_current = False

    def begin(self, facts: dict[str, Any], *, decisive: Iterable[str]) -> dict[str, Any]:
        """Write what the fit has determined before training, in the first checkpoint.

        Returns
        -------
        facts : dict
            Those of the shorter fit, if this one continues it: that is, if the ``decisive`` ones are the same.
        """
        self.facts = facts
        if self._shorter is not None and all(self._shorter["facts"][name] == facts[name] for name in decisive):
            state = continuing(self._shorter)
            if state is not None:
                self.facts, self.states = self._shorter["facts"], [state]
        self._shorter = None
        self._write(self.states)
        return self.facts

    def of_member(self, number: int, is_stopped: Callable[[], bool]) -> Keeper:
        """Return the keeper of one network of an ensemble, whose networks are trained in threads; see `close`."""
        folder = CheckpointFolder(self._folder.path / f"member-{number}", self._settings.keep)
        member = Keeper(
            self._settings,
            folder,
            self._identity,
            folder.newest(),
            lambda: is_stopped() or self._is_abandoned(),
        )
        member.facts = {}
        return member

    def close(self) -> None:
        """Let other fits use the folder."""
        self._folder.close()

    # ---- while training

    @contextmanager
    def training(self) -> Iterator[None]:
        """Handle signals between updates in this context, after the first update, or at its end."""
        with self._stack:
            yield

    def before_update(self, take: Callable[[], States]) -> None:
        """Write a checkpoint if one is due or a signal has arrived, which is then handled."""
        if self._n_updates == 1:  # until then the checkpoint on disk is no update old, and a step may be compiled
            self._signals = self._stack.enter_context(deferred_signals())
        pending = self._signals is not None and bool(self._signals.pending)
        if pending or self._is_due():
            self._write(take())
        if pending and self._signals is not None:
            self._signals.deliver()
        self._n_updates += 1

    @contextmanager
    def validating(self, take: Callable[[], States]) -> Iterator[None]:
        """Write a checkpoint before validation that takes much longer, so that `during_validation` can end it."""
        self._is_current = self._cost < _SHARE * self._validation
        if self._is_current:
            self._write(take())
        start = time.monotonic()
        yield
        self._validation = time.monotonic() - start
        self._is_current = False

    def during_validation(self) -> None:
        """Handle a signal that has arrived, if a checkpoint was written before validation."""
        if self._is_current and self._signals is not None:
            self._signals.deliver()

    def end(self, states: States) -> None:
        """Write the states of the trained networks, unless the fit is abandoned."""
        if not self._is_abandoned():
            self._write(states, last=True)

    def _is_due(self) -> bool:
        n_updates, at = self._written
        every, seconds = self._settings.every_n_updates, self._settings.every_n_seconds
        if every is not None and self._n_updates - n_updates >= every:
            return True
        longest = max(_SECONDS, self._cost / _SHARE) if isinstance(seconds, str) else seconds
        return self._n_updates > 0 and time.monotonic() - at >= longest

    def _write(self, states: States | None, *, last: bool = False) -> None:
        start = time.monotonic()
        state = {**self._identity, "facts": self.facts, "states": states, "open_end": self.open_end if last else None}
        self._folder.write(state, last=last)
        end = time.monotonic()
        self._cost = end - start
        self._written = (self._n_updates, end)
