"""The ASGI application: what is served at which path.

Starlette routes and reads requests. The description of the interface is written here: a library that derives it from types
would also parse the body, in the event loop and before its size is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from seqpipe.serving._answer import encoded, plain
from seqpipe.serving._body import parsed, sent_data
from seqpipe.serving._description import described, instructions
from seqpipe.serving._example import example_request
from seqpipe.serving._guard import Guard
from seqpipe.serving._hosts import Hosts
from seqpipe.serving._limits import Limits
from seqpipe.serving._metrics import Metrics
from seqpipe.serving._model import Method, ServedModel
from seqpipe.serving._reading import received_body
from seqpipe.serving._refusal import RefusedRequestError
from seqpipe.serving._workers import Admission, Workers

__all__ = ["make_app"]


def make_app(
    model: ServedModel,
    *,
    name: str = "model",
    host: str = "127.0.0.1",
    allowed_hosts: Iterable[str] = (),
    limits: Limits,
) -> ASGIApp:
    """Return the application that serves a model.

    Parameters
    ----------
    model : ServedModel
        The model.
    name : str, default="model"
        What its documentation calls it.
    host : str, default="127.0.0.1"
        The address that it is served at, whose requests are answered.
    allowed_hosts : iterable of str
        Further names in the header Host of requests that are answered.
    limits : Limits
        Bounds on requests.

    Returns
    -------
    app : ASGI application
        Holds threads, which end with the process.
    """
    service = _Service(model, name, limits)
    routes = service.routes()
    router = Router(routes, redirect_slashes=False)
    hosts, paths = Hosts(host, allowed_hosts), [route.path for route in routes]
    return Guard(router, hosts, service.metrics, paths, max_head=limits.max_head)


class _Service:
    """The endpoints, and what they share."""

    def __init__(self, model: ServedModel, name: str, limits: Limits) -> None:
        self.metrics = Metrics()
        self._model = model
        self._limits = limits
        self._workers = Workers(limits.n_workers)
        self._admission = Admission(limits)
        example = example_request(model)
        self._description = described(model, name, example)
        self._instructions = instructions(model, name, example)

    def routes(self) -> list[Route]:
        """Return the paths and what answers requests to them."""
        posts: dict[str, Method] = {"/predict": "predict", "/invocations": "predict", "/predict_proba": "predict_proba"}
        return [
            Route("/", self._index, methods=["GET"]),
            Route("/health", self._health, methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
            Route("/openapi.json", self._openapi, methods=["GET"]),
            *(
                Route(path, partial(self._predict, method=method), methods=["POST"])
                for path, method in posts.items()
                if method in self._model.methods
            ),
        ]

    async def _index(self, request: Request) -> Response:
        return PlainTextResponse(self._instructions.replace("<host>", request.headers["host"]))

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _metrics(self, _: Request) -> Response:
        return PlainTextResponse(self.metrics.text(), media_type="text/plain; version=0.0.4")

    async def _openapi(self, _: Request) -> Response:
        return JSONResponse(self._description)

    async def _predict(self, request: Request, method: Method) -> Response:
        async with received_body(request, self._limits, self._admission) as body:
            with self._admission.request():
                n_predictions, content = await self._in_time(partial(_answer, self._model, body, method, self._limits))
        self.metrics.n_predictions += n_predictions
        return Response(content, media_type="application/json")

    async def _in_time(self, function: Callable[[], Any]) -> Any:
        try:
            async with asyncio.timeout(self._limits.predict_seconds):
                return await self._workers.run(function)
        except TimeoutError as error:
            raise RefusedRequestError(
                503,
                f"The prediction did not end within {self._limits.predict_seconds:g} seconds. Send fewer or shorter samples per "
                "request.",
                {"retry-after": "1"},
            ) from error


def _answer(model: ServedModel, body: bytearray, method: Method, limits: Limits) -> tuple[int, bytes]:
    """Return the number of predictions and the body of the answer; called in a thread."""
    data = sent_data(parsed(bytes(body), limits))
    try:
        predicted = plain(model.predict(data, method))
    except MemoryError as error:
        raise RefusedRequestError(
            413, f"The samples do not fit into memory: {error} Send fewer per request."
        ) from error
    except ValueError as error:
        raise RefusedRequestError(400, str(error)) from error
    answer: dict[str, Any] = {"predictions": predicted}
    if method == "predict_proba":
        answer["classes"] = plain(model.estimator.classes_)
    return len(predicted), encoded(answer)
