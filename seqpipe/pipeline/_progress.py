"""Progress display of the fits of a recipe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from seqpipe.pipeline._fits import REFIT, FitEvent
from seqpipe.tables import count

__all__ = ["FitProgress"]


class FitProgress:
    """Shows the progress of the fits of a search, or of the epochs of a single fit.

    On a terminal this is a progress bar; elsewhere one plain line per fit.

    Parameters
    ----------
    console : Console
        The output console.
    candidates : list of str
        Names of the candidates of the search; empty for a single fit.
    n_splits : int
        Number of folds per candidate.
    """

    def __init__(self, console: Console, candidates: list[str], n_splits: int) -> None:
        self._console = console
        self._candidates = candidates
        self._n_splits = n_splits
        self._total = len(candidates) * n_splits + 1
        self._done = 0
        self._n_epochs = 0
        self._made = time.monotonic()
        self._began: dict[int, float] = {}
        self._errors: dict[int, str] = {}
        self._compiled: dict[int, float] = {}
        self._bar: Progress | None = None
        self._task = TaskID(0)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show progress while the block runs."""
        if not self._console.is_terminal:
            yield
            return
        columns = (
            SpinnerColumn(),
            MofNCompleteColumn(),
            BarColumn(20),
            TextColumn("{task.description}", markup=False),
        )
        with Progress(*columns, TimeElapsedColumn(), console=self._console, transient=True) as self._bar:
            self._task = self._bar.add_task("training", total=self._total if self._candidates else None)
            yield

    def show(self, event: FitEvent) -> None:
        """Update the display for an event."""
        if event.error is not None:
            self._errors[event.fit] = event.error
        if event.compile_seconds is not None:
            self._compiled[event.fit] = event.compile_seconds
        if not self._candidates:
            self._show_epochs(event)
        elif event.kind == "began":
            self._begin(event.fit)
        elif event.kind == "ended":
            self._end(event.fit)

    def _show_epochs(self, event: FitEvent) -> None:
        if event.epoch is not None:
            self._n_epochs = event.epoch
            if self._bar is not None:
                self._bar.update(self._task, completed=event.epoch, total=event.n_epochs, description="epochs")
        elif event.kind == "reported" and self._bar is None:
            self._print(f"fit 1/1: {count(self._n_epochs, 'epoch')}, {self._time(event.fit, self._made)}")

    def _begin(self, fit: int) -> None:
        self._began[fit] = time.monotonic()
        if fit == REFIT:
            self._done = self._total - 1  # a failed fit may not have reported its end
        if self._bar is not None:
            self._bar.update(self._task, description=f"fits · {self._name(fit)}")

    def _end(self, fit: int) -> None:
        self._done += 1
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done)
        else:
            began = self._began.pop(fit, time.monotonic())
            ending = f"failed, {self._errors[fit]}" if fit in self._errors else self._time(fit, began)
            text = f"fit {self._done}/{self._total}: {self._name(fit)}, {ending}"
            self._print(text)

    def _time(self, fit: int, began: float) -> str:
        """Return the duration of a fit, and that of compilation if it is not negligible."""
        compiled = self._compiled.pop(fit, 0.0)
        of_it = f", including {compiled:.1f} s of compilation" if compiled >= 0.05 else ""
        return f"{time.monotonic() - began:.1f} s{of_it}"

    def _name(self, fit: int) -> str:
        if fit == REFIT:
            return "refit of the best candidate on all training data"
        candidate, fold = divmod(fit, self._n_splits)
        return f"{self._candidates[candidate]}, fold {fold + 1}"

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
