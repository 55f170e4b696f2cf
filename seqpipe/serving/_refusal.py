"""The error that a request is answered with."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from seqpipe.exceptions import SeqpipeError

__all__ = ["RefusedRequestError", "error_body"]

_LONGEST = 1000


class RefusedRequestError(SeqpipeError, ValueError):
    """A request that is not answered with predictions.

    Parameters
    ----------
    status : int
        Status of the response.
    message : str
        What is wrong, where, and the remedy.
    headers : mapping, optional
        Further headers of the response.
    """

    page = "docs/serving.md"

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


def error_body(status: int, message: str) -> dict[str, Any]:
    """Return the body of a response with an error, with the fields that MLflow's server uses."""
    code = HTTPStatus(status).phrase.upper().replace(" ", "_")
    text = " ".join(message.split())
    return {"error_code": code, "message": text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"}
