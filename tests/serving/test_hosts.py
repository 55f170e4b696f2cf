"""Which values of the header Host are accepted."""

from __future__ import annotations

import pytest

from seqpipe.serving import is_loopback
from seqpipe.serving._hosts import Hosts
from seqpipe.serving._refusal import RefusedRequestError


@pytest.mark.parametrize(
    "name", ["localhost", "LOCALHOST:80", "localhost.", "127.0.0.1:5", "[::1]", "[::1]:80", "models.lan"]
)
def test_loopback_and_allowed_names_are_accepted(name: str) -> None:
    Hosts("127.0.0.1", ["Models.lan"]).check([name])


@pytest.mark.parametrize("name", ["192.0.2.1", "[2001:db8::1]:8000"])
def test_a_server_on_all_addresses_accepts_any_address_but_no_name(name: str) -> None:
    Hosts("0.0.0.0").check([name])
    with pytest.raises(RefusedRequestError, match="does not answer to the name 'evil.example'"):
        Hosts("0.0.0.0").check(["evil.example"])
    with pytest.raises(RefusedRequestError, match="does not answer to the name"):
        Hosts("127.0.0.1").check([name])


@pytest.mark.parametrize("given", [[], ["a", "a"], [""], ["a b"], ["a@b"], ["a:b"], ["::1"], ["[::1"]])
def test_what_is_no_name_is_refused(given: list[str]) -> None:
    with pytest.raises(RefusedRequestError, match="one header Host"):
        Hosts("127.0.0.1").check(given)


def test_loopback_addresses_are_told_from_others() -> None:
    assert [
        is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "::", "192.0.2.1", "models.lan")
    ] == [
        *[True] * 3,
        *[False] * 4,
    ]
