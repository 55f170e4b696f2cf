"""What every request passes: the check of its header Host, and the counters; and what every error is turned into."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Collection
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seqpipe.serving._hosts import Hosts
from seqpipe.serving._metrics import Metrics
from seqpipe.serving._refusal import RefusedRequestError, error_body

__all__ = ["Guard"]


class Guard:
    """An ASGI application around another one.

    Parameters
    ----------
    app : ASGI application
        Raises `RefusedRequestError` and Starlette's `HTTPException`.
    hosts : Hosts
        The names by which it may be addressed.
    metrics : Metrics
        Counts its requests.
    paths : collection of str
        Its paths, which requests are counted by.
    max_head : int
        Bytes of the names and values of a request's headers.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts, metrics: Metrics, paths: Collection[str], *, max_head: int) -> None:
        self._app = app
        self._hosts = hosts
        self._metrics = metrics
        self._paths = frozenset(paths)
        self._max_head = max_head

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = _Exchange(receive, send)
        start = time.perf_counter()
        self._metrics.in_progress += 1
        try:
            await self._respond(scope, exchange)
        finally:
            self._metrics.in_progress -= 1
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.add(path, exchange.status, time.perf_counter() - start)

    async def _respond(self, scope: Scope, exchange: _Exchange) -> None:
        try:
            self._check_head(scope)
            # with "app", Starlette raises what it would answer itself as plain text
            await self._app({**scope, "app": self}, exchange.receive, exchange.send)
            return
        except ClientDisconnect:
            exchange.status = 499  # as nginx counts clients that have left
            return
        except RefusedRequestError as error:
            status, message, headers = error.status, str(error), error.headers
        except HTTPException as error:
            status, message, headers = (
                error.status_code,
                _explained(error, scope, self._paths),
                dict(error.headers or {}),
            )
        except Exception:
            traceback.print_exc(file=sys.stderr)
            status, message, headers = 500, "The server failed. Its output has the reason.", {}
        if not exchange.has_read_all(scope):  # else the rest of the body would be read as long as it comes
            headers["connection"] = "close"
        response = JSONResponse(error_body(status, message), status, headers)
        await response(scope, exchange.receive, exchange.send)

    def _check_head(self, scope: Scope) -> None:
        headers = scope["headers"]
        self._hosts.check([value.decode("latin-1") for name, value in headers if name == b"host"])
        if sum(len(name) + len(value) for name, value in headers) > self._max_head:
            raise RefusedRequestError(431, f"The headers are longer than {self._max_head:,} bytes. Send fewer.")


class _Exchange:
    """The channels of one request, and what has passed them."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self.status = 0
        self._receive = receive
        self._send = send
        self._more_body = True

    def has_read_all(self, scope: Scope) -> bool:
        """Return whether nothing of the request is left to read."""
        names = dict(scope["headers"])
        return not self._more_body or (names.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in names)

    async def receive(self) -> Message:
        message = await self._receive()
        self._more_body = bool(message.get("more_body", False))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


def _explained(error: HTTPException, scope: Any, paths: Collection[str]) -> str:
    if error.status_code == 405:
        return f"{scope['path']} does not take {scope['method'][:20]} requests."
    if error.status_code == 404:
        return f"There is no {scope['path'][:100]!r}. The paths are {', '.join(sorted(paths))}."
    return str(error.detail)
