"""Threads that parse and predict, so that the event loop goes on, and the bounds on what waits for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from queue import SimpleQueue
from typing import Any

from seqpipe.serving._limits import Limits
from seqpipe.serving._refusal import RefusedRequestError

__all__ = ["Admission", "Workers"]

_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


class Workers:
    """A fixed number of threads, as daemons: a prediction that does not end does not keep the process from ending."""

    def __init__(self, n_threads: int) -> None:
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        for i in range(n_threads):
            threading.Thread(target=self._work, name=f"seqpipe-serve-{i}", daemon=True).start()

    async def run(self, function: Callable[[], Any]) -> Any:
        """Return the result of a function that is called in one of the threads, or raise its exception."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Any] = loop.create_future()
        self._jobs.put((loop, result, function))
        return await result

    def _work(self) -> None:
        while True:
            loop, result, function = self._jobs.get()
            if not result.cancelled():
                self._answer(loop, result, function)
            del loop, result, function  # else the last request stays in memory until the next one

    @staticmethod
    def _answer(loop: asyncio.AbstractEventLoop, result: asyncio.Future[Any], function: Callable[[], Any]) -> None:
        try:
            deliver = partial(_set_result, result, function())
        except BaseException as error:
            deliver = partial(_set_exception, result, error)
        with suppress(RuntimeError):  # the loop is closed: the server has stopped
            loop.call_soon_threadsafe(deliver)


def _set_result(result: asyncio.Future[Any], value: Any) -> None:
    if not result.done():
        result.set_result(value)


def _set_exception(result: asyncio.Future[Any], error: BaseException) -> None:
    if not result.done():
        result.set_exception(error)


class Admission:
    """The requests that are predicted for or wait for it, and the bytes of all bodies.

    Used in the thread of the event loop only.
    """

    def __init__(self, limits: Limits) -> None:
        self.n_requests = 0
        self.n_bytes = 0
        self._limits = limits

    @contextmanager
    def request(self) -> Iterator[None]:
        """Admit one request, or refuse it if too many wait."""
        if self.n_requests >= self._limits.max_waiting:
            raise _busy(f"{self.n_requests} requests are waiting")
        self.n_requests += 1
        try:
            yield
        finally:
            self.n_requests -= 1

    @contextmanager
    def body(self) -> Iterator[bytearray]:
        """Yield a buffer for a body, whose bytes `grow` counts."""
        buffer = bytearray()
        try:
            yield buffer
        finally:
            self.n_bytes -= len(buffer)

    def grow(self, buffer: bytearray, chunk: bytes) -> None:
        """Append to a body, or refuse it if all bodies hold too much."""
        if self.n_bytes + len(chunk) > self._limits.max_held * self._limits.max_body:
            raise _busy("the bodies of other requests fill the memory")
        buffer += chunk
        self.n_bytes += len(chunk)


def _busy(reason: str) -> RefusedRequestError:
    return RefusedRequestError(503, f"The server is busy: {reason}. Try again in a second.", {"retry-after": "1"})
