"""The names by which a server may be addressed: a page that makes its own name mean this machine is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address

from seqpipe.serving._refusal import RefusedRequestError

__all__ = ["Hosts", "is_loopback", "is_wildcard"]

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/@\s]+)(?::\d{1,5})?")


def is_loopback(host: str) -> bool:
    """Return whether a server at this address is reached from this machine only."""
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def is_wildcard(host: str) -> bool:
    """Return whether a server at this address listens on all addresses of the machine."""
    return _is_address(host) and ip_address(host).is_unspecified


class Hosts:
    """The accepted values of the header Host.

    Parameters
    ----------
    host : str
        The address that the server listens on. If that is all of them, every address is accepted, but no name: only
        names can be made to mean another machine.
    allowed : iterable of str
        Further names and addresses.
    """

    def __init__(self, host: str, allowed: Iterable[str] = ()) -> None:
        self._names = {"localhost", "127.0.0.1", "::1", *(name.lower().strip("[]") for name in (host, *allowed))}
        self._any_address = is_wildcard(host)

    def check(self, given: list[str]) -> None:
        """Check the values of the header of one request.

        Raises
        ------
        RefusedRequestError
            If it has not one of the accepted values, with or without a port.
        """
        found = _HOST.fullmatch(given[0]) if len(given) == 1 else None
        if found is None:
            raise RefusedRequestError(400, "The request must have one header Host, a name with or without a port.")
        name = found[1].lower().strip("[]").rstrip(".")
        if name not in self._names and not (self._any_address and _is_address(name)):
            raise RefusedRequestError(
                403,
                f"The server does not answer to the name {name[:100]!r}. Start it with --allowed-host if that is its name.",
            )


def _is_address(host: str) -> bool:
    with suppress(ValueError):
        ip_address(host)
        return True
    return False
