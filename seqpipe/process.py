"""All process-wide state that seqpipe changes, with the context managers that change and restore it.

- `command_line`, while a command of ``seqpipe`` runs: SIGTERM exits with 143, `sys.unraisablehook` sends a signal again
  that arrived where no exception can be raised, and `warnings.showwarning` writes one line to stderr.
- `intercepted_warnings`, while a recipe's search is fitted: `warnings.showwarning` intercepts warnings of failed fits.
- `noted_interrupts`, while callbacks are notified of the end of an epoch: SIGINT is recorded.
- `hangup_exits`, while ``seqpipe ui`` serves: SIGHUP exits with 129.
- `deferred_signals`, while a child process is started, and during a fit with checkpoints: signals are handled later.
- `variable`, while a command runs: PYTHONSAFEPATH is set, so that processes that are started do not import files of the
  working folder; with options, SEQPIPE_DEBUG and SEQPIPE_PLUGINS are.
- `time_limit`, while a recipe runs with a limit: SIGINT is sent when the time is over, and later the process is ended.
- `memory_limit`, while a recipe runs with a limit: the limit of the process for its data is lowered, on Linux.
- `allow_csv_cells`, while a CSV file is read: `csv.field_size_limit` is raised.

Three more changes follow the same rule in other modules: torch's number of threads (`seqpipe.training._threads`),
MLflow's output, through two environment variables and the levels of three loggers (`seqpipe.tracking._quiet`), and its
retries of requests, through one environment variable (`seqpipe.tracking._reach`).

One change lasts: importing `seqpipe.estimators` wraps the method that all scorers of scikit-learn share, so that they
score time steps (`seqpipe.estimators._step_scoring`). It passes every other estimator on unchanged.
"""

from __future__ import annotations

import _thread
import csv
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NoReturn

__all__ = [
    "DeferredSignals",
    "Shared",
    "allow_csv_cells",
    "command_line",
    "deferred_signals",
    "hangup_exits",
    "intercepted_warnings",
    "memory_limit",
    "noted_interrupts",
    "time_limit",
    "variable",
]


class Shared:
    """A change shared by threads: the first to enter makes it, and the last to exit undoes it.

    Parameters
    ----------
    change : callable
        Makes the change and returns a function that undoes it.
    """

    def __init__(self, change: Callable[[], Callable[[], object]]) -> None:
        self._change = change
        self._lock = threading.Lock()
        self._holders = 0
        self._undo: Callable[[], object] = lambda: None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the change in the context."""
        with self._lock:
            if self._holders == 0:
                self._undo = self._change()
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if self._holders == 0:
                    self._undo()


# ---- the command line


@contextmanager
def command_line(show_warning: Callable[..., None]) -> Iterator[None]:
    """Handle signals and warnings as a command does; ``show_warning`` replaces `warnings.showwarning`."""
    terminate, unraisable, show = signal.getsignal(signal.SIGTERM), sys.unraisablehook, warnings.showwarning
    signal.signal(signal.SIGTERM, _exit)
    sys.unraisablehook = _signal_again
    warnings.showwarning = show_warning
    try:
        # joblib's workers and MLflow's server start as "python -m …", which would import a joblib.py of the working folder
        with variable("PYTHONSAFEPATH", "1"):
            yield
    finally:
        signal.signal(signal.SIGTERM, terminate)
        sys.unraisablehook = unraisable
        warnings.showwarning = show


def _exit(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


def _signal_again(ignored: Any) -> None:
    """Send a signal again that arrived in a callback of the garbage collector, from which exceptions do not propagate."""
    numbers = {KeyboardInterrupt: signal.SIGINT, SystemExit: signal.SIGTERM}
    if ignored.exc_type in numbers:
        threading.Timer(0.1, _send, (numbers[ignored.exc_type],)).start()
    else:
        sys.__unraisablehook__(ignored)


def _send(number: signal.Signals) -> None:
    """Send a signal to the main thread, which also interrupts its blocking calls."""
    if sys.platform == "win32":
        _thread.interrupt_main(number)
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, number)


@contextmanager
def variable(name: str, value: str) -> Iterator[None]:
    """Set an environment variable in the context."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


# ---- signals


@contextmanager
def noted_interrupts() -> Iterator[list[int]]:
    """Yield a list to which each SIGINT is appended before its handler runs.

    Signals are handled in the main thread: in other threads, or if SIGINT is ignored, the list stays empty.
    """
    noted: list[int] = []
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield noted
        return

    def note(number: int, frame: Any) -> None:
        noted.append(number)
        handler(number, frame)

    try:
        signal.signal(signal.SIGINT, note)
        yield noted
    finally:
        if signal.getsignal(signal.SIGINT) is note:  # a callback may have set another handler
            signal.signal(signal.SIGINT, handler)


@contextmanager
def hangup_exits() -> Iterator[None]:
    """Exit on SIGHUP in the context, so that child process groups, which do not receive it, can be ended."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL:  # ignored, as under nohup
        yield
        return
    before = signal.signal(signal.SIGHUP, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


class DeferredSignals:
    """Signals that have arrived and wait to be handled; see `deferred_signals`."""

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        self.pending: list[int] = []
        self._handlers: dict[int, Any] = {}
        for number in numbers:
            handler = signal.getsignal(number)
            if callable(handler) or handler is signal.SIG_DFL:  # not ignored, nor set by other than Python code
                self._handlers[number] = handler
                signal.signal(number, self._note)

    def _note(self, number: int, frame: Any) -> None:
        again = number in self.pending
        self.pending.append(number)
        if again:  # the user does not want to wait
            self.deliver()

    def deliver(self) -> None:
        """Handle the first pending signal, if any; one without a handler exits with 128 and its number."""
        while self.pending:
            number = self.pending[0]
            self.pending.clear()
            handler = self._handlers[number]
            if not callable(handler):
                _exit(number, None)
            handler(number, None)

    def restore(self) -> None:
        """Let signals be handled at once again."""
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._note:  # a callback may have set another handler
                signal.signal(number, handler)


@contextmanager
def deferred_signals() -> Iterator[DeferredSignals]:
    """Defer SIGINT, SIGTERM and SIGHUP to the end of the context, or to `DeferredSignals.deliver`.

    A signal that arrives a second time is handled at once. In threads other than the main thread nothing changes.
    """
    main = threading.current_thread() is threading.main_thread()
    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    deferred = DeferredSignals(numbers if main else [])
    try:
        yield deferred
    finally:
        deferred.restore()
        deferred.deliver()


# ---- limits


@contextmanager
def time_limit(seconds: float, *, grace: float = 30.0) -> Iterator[None]:
    """Interrupt the main thread after some time, as Ctrl-C does, and raise `TimeoutError` when it has ended.

    If it has not ended ``grace`` seconds later, as it waits in compiled code, the process ends with its child processes and
    exit code 1.
    """
    is_over = threading.Event()

    def end() -> None:
        is_over.set()
        _send(signal.SIGINT)
        last.start()

    first, last = threading.Timer(seconds, end), threading.Timer(grace, _end_at_once, (seconds,))
    first.daemon = last.daemon = True
    first.start()
    try:
        yield
    except KeyboardInterrupt as stop:
        if is_over.is_set():
            raise TimeoutError(f"it did not end within {seconds:g} seconds") from stop
        raise
    finally:
        first.cancel()
        last.cancel()


def _end_at_once(seconds: float) -> None:
    import psutil  # imported on use: a limit is rarely needed

    sys.stderr.write(f"error: the command did not end within {seconds:g} seconds, nor when interrupted\n")
    sys.stderr.flush()
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()
    os._exit(1)


@contextmanager
def memory_limit(n_bytes: int) -> Iterator[None]:
    """Let this process, and each that it starts, take ``n_bytes`` more memory than it has now; only Linux supports it.

    Beyond it, allocations fail: in Python with `MemoryError`, in torch with `RuntimeError`.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    import resource

    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _data_bytes() + n_bytes
    soft = min((limit for limit in (before, hard) if limit != resource.RLIM_INFINITY), default=wanted)
    resource.setrlimit(resource.RLIMIT_DATA, (min(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))


def _data_bytes() -> int:
    """Return the bytes that count towards the limit: private memory that can be written to."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData:"))


# ---- warnings and files


@contextmanager
def intercepted_warnings(take: Callable[[Warning | str, type[Warning]], bool]) -> Iterator[None]:
    """Pass each warning to ``take`` before it is shown, and show it only if that returns False."""
    show = warnings.showwarning

    def intercept(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if not take(message, category):
            show(message, category, *where, **more)

    warnings.showwarning = intercept
    try:
        yield
    finally:
        warnings.showwarning = show


def allow_csv_cells(longest: int) -> Callable[[], object]:
    """Let `csv` read cells of up to ``longest`` characters; return a function that undoes it."""
    return partial(csv.field_size_limit, csv.field_size_limit(longest))
