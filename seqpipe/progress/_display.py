"""Where progress is shown: in a terminal, in a notebook, or as lines of a log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.errors import LiveError
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

__all__ = ["Frame", "displayed"]

#: Frames per second in a terminal, and seconds between two in a notebook.
_PER_SECOND, _NOTEBOOK = 4, 1.0
_BAR = 20


@dataclass(frozen=True, slots=True)
class Frame:
    """What is shown at a moment.

    Attributes
    ----------
    share : float or None
        Share that is done, from 0 to 1; None if that is not known.
    summary : str
        Fits done and left, and the time left.
    best : str
        The best so far.
    running : list of str
        The epochs of each running fit.
    line : str
        All of it in one line.
    """

    share: float | None
    summary: str
    best: str
    running: list[str]
    line: str


@contextmanager
def displayed(console: Console, frame: Callable[[], Frame], last: Callable[[], str], every: float) -> Iterator[None]:
    """Show frames while the block runs, and the last line after it.

    Parameters
    ----------
    console : Console
    frame : callable
        Returns the present frame; called by other threads.
    last : callable
        Returns the last line.
    every : float
        Seconds between two lines of a log.
    """
    if console.is_jupyter:
        with _in_notebook(frame, last):
            yield
        return
    with _in_terminal(console, frame) if console.is_terminal else _as_lines(console, frame, every):
        yield
    _print(console, last())


@contextmanager
def _in_terminal(console: Console, frame: Callable[[], Frame]) -> Iterator[None]:
    live = Live(
        get_renderable=lambda: _drawn(frame(), console),
        console=console,
        refresh_per_second=_PER_SECOND,
        transient=True,
        redirect_stdout=False,
    )
    try:
        live.start()
    except LiveError:  # another one is shown there
        yield
        return
    try:
        yield
    finally:
        live.stop()


def _drawn(frame: Frame, console: Console) -> RenderableType:
    head = Table.grid(padding=(0, 1))
    bar = ProgressBar(1.0, frame.share or 0.0, width=_BAR, pulse=frame.share is None)
    head.add_row(bar, Text(frame.summary))
    room = max(1, console.height - 4)
    hidden = len(frame.running) - room
    rows = [*frame.running[:room], *([f"and {hidden} more"] if hidden > 0 else [])]
    return Group(head, *(Text(f"  {row}", overflow="ellipsis", no_wrap=True) for row in [frame.best, *rows] if row))


@contextmanager
def _as_lines(console: Console, frame: Callable[[], Frame], every: float) -> Iterator[None]:
    with _repeated(lambda: _print(console, frame().line), every):
        yield


@contextmanager
def _in_notebook(frame: Callable[[], Frame], last: Callable[[], str]) -> Iterator[None]:
    """Update one output of the cell; without ipywidgets, which not every notebook has."""
    from IPython.display import display

    handle: Any = display({"text/plain": frame().line}, raw=True, display_id=True)
    try:
        with _repeated(lambda: handle.update({"text/plain": frame().line}, raw=True), _NOTEBOOK):
            yield
    finally:
        handle.update({"text/plain": last()}, raw=True)


@contextmanager
def _repeated(show: Callable[[], object], seconds: float) -> Iterator[None]:
    """Call a function every ``seconds`` in a thread while the block runs."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(seconds):
            show()

    thread = threading.Thread(target=repeat, name="seqpipe-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
