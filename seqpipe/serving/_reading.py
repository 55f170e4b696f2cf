"""The head and the body of a request, checked while they are read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from seqpipe.serving._limits import Limits
from seqpipe.serving._refusal import RefusedRequestError
from seqpipe.serving._workers import Admission

__all__ = ["received_body"]

#: How many times the largest body is read, and dropped, so that its sender sees the refusal instead of a broken connection.
_DRAINED = 4


@asynccontextmanager
async def received_body(request: Request, limits: Limits, admission: Admission) -> AsyncIterator[bytearray]:
    """Yield the body of a request.

    Raises
    ------
    RefusedRequestError
        If it is not declared as JSON, is too long, or does not arrive in time.
    """
    _check_type(request)
    announced = _announced(request)
    if announced > _DRAINED * limits.max_body:
        raise _too_long(limits)
    with admission.body() as buffer:
        try:
            async with asyncio.timeout(limits.body_seconds):
                await _read(request, buffer, limits, admission)
        except TimeoutError as error:
            raise RefusedRequestError(
                408,
                f"The body did not arrive within {limits.body_seconds:g} seconds. Send the request again, in one piece.",
            ) from error
        yield buffer


async def _read(request: Request, buffer: bytearray, limits: Limits, admission: Admission) -> None:
    n_bytes = 0
    async for chunk in request.stream():
        n_bytes += len(chunk)
        if n_bytes > _DRAINED * limits.max_body:
            break
        if n_bytes <= limits.max_body:
            admission.grow(buffer, chunk)
    if n_bytes > limits.max_body:
        raise _too_long(limits)


def _too_long(limits: Limits) -> RefusedRequestError:
    return RefusedRequestError(
        413,
        f"The body is longer than {limits.max_body:,} bytes. Send fewer samples per request, or start the server with a "
        "larger --max-body.",
    )


def _check_type(request: Request) -> None:
    kind, _, rest = request.headers.get("content-type", "").partition(";")
    if kind.strip().lower() != "application/json" or rest.strip().lower().replace('"', "") not in ("", "charset=utf-8"):
        given = request.headers.get("content-type")
        raise RefusedRequestError(
            415,
            f"The Content-Type must be application/json, in UTF-8. Got {'none' if given is None else repr(given)} instead.",
        )
    if (coding := request.headers.get("content-encoding", "identity").lower()) != "identity":
        raise RefusedRequestError(415, f"The body must not be encoded. Got the Content-Encoding {coding!r} instead.")


def _announced(request: Request) -> int:
    """Return the announced length of a body, 0 if it is sent in chunks."""
    length = request.headers.get("content-length")
    if length is not None and "transfer-encoding" in request.headers:
        raise RefusedRequestError(400, "A request must not have both Content-Length and Transfer-Encoding.")
    return int(length or 0)
