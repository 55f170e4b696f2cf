"""What a server allows its clients."""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on requests, and on what all of them hold at a time.

    Attributes
    ----------
    max_body : int
        Bytes of a request's body.
    max_head : int
        Bytes of the names and values of a request's headers.
    max_values, max_depth : int
        Values and nested brackets in a body.
    n_workers : int
        Predictions at a time.
    max_waiting : int
        Requests that are predicted for or wait for it; further ones are answered with status 503.
    max_held : int
        Bytes of all bodies at a time, as multiple of ``max_body``.
    max_connections : int
        Open connections.
    head_seconds, body_seconds, predict_seconds, write_seconds : float
        Seconds for the head of a request, its body, the prediction with the wait for it, and the client to take the
        answer.
    grace_seconds : int
        Seconds that requests in progress have when the server is asked to stop.
    """

    max_body: int = 16 * 2**20
    max_head: int = 16 * 2**10
    max_values: int = 2 * 2**20
    max_depth: int = 32
    n_workers: int = min(4, os.cpu_count() or 1)
    max_waiting: int = 128
    max_held: int = 8
    max_connections: int = 512
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    predict_seconds: float = 60.0
    write_seconds: float = 30.0
    grace_seconds: int = 10
