"""A server process: the socket, and uvicorn with the application."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

import uvicorn

from seqpipe.exceptions import SeqpipeError
from seqpipe.serving._app import make_app
from seqpipe.serving._limits import Limits
from seqpipe.serving._model import ServedModel
from seqpipe.serving._protocol import protocol_with

__all__ = ["Server"]

#: Connections that wait to be accepted.
_BACKLOG = 1024


class Server:
    """A server of a model, whose socket listens from the beginning.

    Parameters
    ----------
    model : ServedModel
        The model.
    name : str
        What its documentation calls it.
    host : str, default="127.0.0.1"
        Address to listen on.
    port : int, default=0
        Port to listen on; 0 for any free one.
    allowed_hosts : iterable of str
        Names by which clients may address it, besides the host and those of the loopback address.
    limits : Limits, optional
        Bounds on requests.

    Attributes
    ----------
    url : str
        Where it is served.

    Raises
    ------
    SeqpipeError
        If it cannot listen there, as when the port is in use.
    """

    def __init__(
        self,
        model: ServedModel,
        *,
        name: str,
        host: str = "127.0.0.1",
        port: int = 0,
        allowed_hosts: Iterable[str] = (),
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits()
        self._socket = _listening(host, port)
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            make_app(model, name=name, host=host, allowed_hosts=allowed_hosts, limits=limits),
            http=protocol_with(limits),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",  # the application reports its failures, and refused requests are counted
            access_log=False,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=2 * limits.max_head,
            timeout_graceful_shutdown=limits.grace_seconds,
        )
        self._server = uvicorn.Server(config)

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM, which takes effect after requests in progress are answered, or the time for it has passed."""
        with self._socket:
            self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Let `run`, in another thread, return as on a signal."""
        self._server.should_exit = True


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small packets at once only if the protocol is named; socket.create_server names none
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # or the port would be taken for a minute after a server has ended
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise SeqpipeError(
            f"The server cannot listen on {host}, port {port} ({error.strerror or error}). Choose another one with --port or "
            "--host."
        ) from error
    return listening
