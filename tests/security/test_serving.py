"""Requests made by an enemy, over plain sockets: each is refused with status 4xx and a reason, and the server goes on."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from seqpipe.estimators import SequenceClassifier
from seqpipe.serving import Limits, ServedModel

LIMITS = Limits(max_body=2**16, max_values=5000, head_seconds=3, body_seconds=3, n_workers=1)
GOOD = b'{"instances": [[[1, 2], [3, 4]]]}'


def head(line: str = "POST /predict HTTP/1.1", **headers: Any) -> bytes:
    """Return a request up to its body; headers replace those of a valid request, None leaves one out."""
    found = {"host": "localhost", "content_type": "application/json", "connection": "close", **headers}
    fields = [f"{name.replace('_', '-')}: {value}" for name, value in found.items() if value is not None]
    return "\r\n".join([line, *fields, "", ""]).encode("latin-1")


def post(body: bytes, **headers: Any) -> list[bytes]:
    return [head(content_length=len(body), **headers), body]


def chunks(n: int | None, size: int = 2**14) -> Iterator[bytes]:
    """Yield a body in chunks of spaces, which is endless without a number."""
    yield head(transfer_encoding="chunked")
    sent = 0
    while n is None or sent < n:
        yield f"{size:x}\r\n".encode() + b" " * size + b"\r\n"
        sent += 1


def slowly(data: bytes, seconds: float = 0.3) -> Iterator[bytes]:
    for i in range(len(data)):
        yield data[i : i + 1]
        time.sleep(seconds)


@dataclass
class Payload:
    """A request, the sentence that it proves, the status and a part of the answer."""

    proves: str
    pieces: Callable[[], Iterable[bytes]]
    status: int
    answer: str


def body(proves: str, content: bytes, status: int, answer: str, **headers: Any) -> Payload:
    return Payload(proves, lambda: post(content, **headers), status, answer)


def request(proves: str, *pieces: bytes, status: int, answer: str) -> Payload:
    return Payload(proves, lambda: pieces, status, answer)


HUGE = b'{"instances": [[[1, 1' + b"0" * 400 + b"]]]}"
PAYLOADS = [
    body("NaN is not JSON", b'{"instances": [[[NaN, 2]]]}', 400, "holds NaN, which is not JSON"),
    body("Infinity is not JSON", b'{"instances": [[[1, -Infinity]]]}', 400, "holds -Infinity"),
    body("A number beyond float64 is no number", b'{"instances": [[[1, 1e999]]]}', 400, "contains infinity: sample 0"),
    body("A key may not come twice", b'{"instances": [], "instances": [[[1, 2]]]}', 400, "'instances' twice"),
    body("50,000 brackets do not exhaust the stack", b"[" * 50_000, 400, "50,000 nested brackets"),
    body(
        "Brackets inside a field neither",
        b'{"inputs":' + b"[" * 9000 + b"]" * 9000 + b"}",
        400,
        "9,001 nested brackets",
    ),
    body("Few bytes may not become many objects", b'{"inputs":[' + b"[]," * 20_000 + b"1]}", 413, "values, more than"),
    body("A huge integer is named by its place", HUGE, 400, "input[0][0][1] is too large"),
    body(
        "An integer of thousands of digits is not computed", b'{"instances": [[[%s]]]}' % (b"9" * 9000), 400, "too long"
    ),
    body("Text is no number", b'{"instances": [[["1", 2]]]}', 400, "input[0][0][0] must be a number"),
    body("true is no number", b'{"instances": [[[true, 2]]]}', 400, "must be a number. Got True"),
    body("Time steps are equally wide", b'{"instances": [[[1, 2], [3]]]}', 400, "equally many numbers"),
    body("Samples are not objects", b'{"instances": [{"__class__": "os.system"}]}', 400, "must be"),
    body(
        "A pickle in a text stays a text",
        b'{"inputs": ["gASVIAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOU"]}',
        400,
        "must be a number",
    ),
    body("A long text is not repeated", b'{"inputs": ["%s"]}' % (b"x" * 50_000), 400, "x\u2026"),
    body("Bytes outside UTF-8 are refused", b'{"instances": "\xff\xfe"}', 400, "is not UTF-8"),
    body("UTF-16 is refused, with any mark", '{"instances": []}'.encode("utf-16"), 400, "is not UTF-8"),
    body("A body of nothing is told", b"", 400, "has no body"),
    body("A body cut off is told", GOOD[:-4], 400, "is not JSON"),
    request("A request without a body is told", head(), status=400, answer="has no body"),
    body("A page cannot post without asking", GOOD, 415, "must be application/json", content_type="text/plain"),
    body("Nor a form", GOOD, 415, "must be application/json", content_type="multipart/form-data; boundary=x"),
    body("Nor without a type", GOOD, 415, "Got none instead", content_type=None),
    body("Other character sets are refused", GOOD, 415, "in UTF-8", content_type="application/json; charset=utf-7"),
    body("Compressed bodies are refused, bombs among them", GOOD, 415, "must not be encoded", content_encoding="gzip"),
    body("A body over the limit is refused", b" " * (2**16 + 1), 413, "longer than 65,536 bytes"),
    request("10 GB that are announced are not awaited", head(content_length=10**10), status=413, answer="longer than"),
    Payload("An endless body ends", lambda: chunks(None), 413, "longer than 65,536 bytes"),
    Payload("A chunked body over the limit is refused", lambda: [*chunks(8), b"0\r\n\r\n"], 413, "longer than"),
    request(
        "A body shorter than announced is not awaited",
        head(content_length=99),
        GOOD,
        status=408,
        answer="did not arrive",
    ),
    Payload(
        "A body byte by byte is not awaited",
        lambda: chain([head(content_length=33)], slowly(GOOD)),
        408,
        "did not arrive",
    ),
    Payload("A head byte by byte is not awaited", lambda: slowly(head()), 408, "head of the request did not arrive"),
    request("A connection without a request is closed", b"", status=408, answer="head of the request"),
    request(
        "Two lengths do not hide a request",
        head(content_length=33, transfer_encoding="chunked"),
        b"0\r\n\r\n",
        status=400,
        answer="both Content-Length and",
    ),
    request(
        "Two different lengths neither",
        head(content_length="33\r\ncontent-length: 5"),
        GOOD,
        status=400,
        answer="not a valid HTTP request",
    ),
    request("A negative length is refused", head(content_length=-5), GOOD, status=400, answer="not a valid HTTP"),
    request("A length is a number", head(content_length="0x21"), GOOD, status=400, answer="not a valid HTTP request"),
    request(
        "The size of a chunk is a number",
        head(transfer_encoding="chunked"),
        b"zz\r\n",
        status=400,
        answer="not a valid",
    ),
    request("Only known codings are read", head(transfer_encoding="gzip"), GOOD, status=400, answer="not a valid HTTP"),
    request("A head of 100 kB is refused", head(x="a" * 100_000), status=431, answer="longer than 16,384 bytes"),
    request(
        "TLS is no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 9, status=400, answer="not a valid HTTP"
    ),
    request("HTTP/2 is not spoken", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status=400, answer="one header Host"),
    request("A header does not hold a NUL", head(x="a\0b"), status=400, answer="not a valid HTTP request"),
    request("A prediction is not got", head("GET /predict HTTP/1.1"), status=405, answer="does not take GET requests"),
    request("Nothing is deleted", head("DELETE /health HTTP/1.1"), status=405, answer="does not take DELETE"),
    request(
        "No page is allowed by a preflight",
        head("OPTIONS /predict HTTP/1.1"),
        status=405,
        answer="does not take OPTIONS",
    ),
    request("A request is not echoed", head("TRACE / HTTP/1.1"), status=405, answer="does not take TRACE"),
    request("There are no files", head("GET /../../etc/passwd HTTP/1.1"), status=404, answer="There is no"),
    request("Nor encoded ones", head("GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1"), status=404, answer="There is no"),
    request("It is no proxy", head("GET http://192.0.2.1/health HTTP/1.1"), status=404, answer="There is no"),
    request("Nor by CONNECT", head("CONNECT 192.0.2.1:443 HTTP/1.1"), status=404, answer="There is no"),
    body(
        "A name that others own is refused",
        GOOD,
        403,
        "does not answer to the name 'evil.example'",
        host="evil.example",
    ),
    body("Also with our port", GOOD, 403, "does not answer to the name", host="evil.example:8000"),
    body("Also one that begins as ours", GOOD, 403, "does not answer", host="127.0.0.1.evil.example"),
    body("Also an address that is not ours", GOOD, 403, "does not answer to the name '192.0.2.1'", host="192.0.2.1"),
    body("A name is not hidden behind another", GOOD, 400, "one header Host", host="localhost@evil.example"),
    body("Two names are refused", GOOD, 400, "not a valid HTTP request", host="localhost\r\nhost: evil.example"),
    body("A request has a name", GOOD, 400, "not a valid HTTP request", host=None),
    request("In old HTTP too", head("GET /health HTTP/1.0", host=None), status=400, answer="one header Host"),
    request(
        "There are no web sockets",
        head("GET /predict HTTP/1.1", connection="Upgrade", upgrade="websocket"),
        status=405,
        answer="does not take GET",
    ),
]


class Client:
    """Sends bytes over a connection of its own."""

    def __init__(self, url: str) -> None:
        self._address = (str(urlsplit(url).hostname), int(urlsplit(url).port or 0))

    def send(self, pieces: Iterable[bytes]) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the first answer."""
        with socket.create_connection(self._address, timeout=60) as connection:
            for piece in pieces:
                try:
                    connection.sendall(piece)
                except OSError:  # the server has answered, and closed the connection
                    break
            received = bytearray()
            while not _is_whole(received) and (more := connection.recv(2**16)):
                received += more
        lines, _, content = bytes(received).partition(b"\r\n\r\n")
        status, *fields = lines.decode("latin-1").split("\r\n")
        headers = dict(field.lower().split(": ", 1) for field in fields)
        return int(status.split()[1]), headers, content[: int(headers["content-length"])]

    def is_well(self) -> bool:
        status, _, content = self.send(post(GOOD))
        return (status, json.loads(content)) == (200, {"predictions": ["a"]})


def _is_whole(received: bytearray) -> bool:
    lines, end, content = bytes(received).partition(b"\r\n\r\n")
    length = next((line[16:] for line in lines.lower().split(b"\r\n") if line.startswith(b"content-length: ")), b"0")
    return bool(end) and len(content) >= int(length)


@pytest.fixture(scope="module")
def client(serving: Callable[..., Any]) -> Iterator[Client]:
    X = [np.ones((3, 2)), np.ones((4, 2))] * 4
    estimator = SequenceClassifier(hidden_size=3, max_epochs=1, random_state=0).fit(X, ["a"] * 6 + ["b"] * 2)
    with serving(ServedModel(estimator, "array", []), limits=LIMITS) as url:
        yield Client(url)


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.proves)
def test_a_request_is_refused_with_the_reason(
    client: Client, payload: Payload, capfd: pytest.CaptureFixture[str]
) -> None:
    status, headers, content = client.send(payload.pieces())
    assert (status, headers["content-type"]) == (payload.status, "application/json")
    answer = json.loads(content)
    assert payload.answer in answer["message"]
    assert set(answer) == {"error_code", "message"}
    assert len(answer["message"]) <= 1001
    assert "access-control-allow-origin" not in headers
    assert capfd.readouterr().err == ""
    assert client.is_well()


def test_what_follows_a_body_is_a_request_of_its_own(client: Client) -> None:
    hidden = (
        head(content_length=len(GOOD), connection="keep-alive")
        + GOOD
        + head("GET /health HTTP/1.1", host="evil.example")
    )
    with socket.create_connection(client._address, timeout=60) as connection:
        connection.sendall(hidden)
        received = b""
        while more := connection.recv(2**16):
            received += more
    assert received.startswith(b"HTTP/1.1 200")
    assert received.count(b"HTTP/1.1") == 2
    assert b"HTTP/1.1 403" in received
