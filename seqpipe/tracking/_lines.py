"""Journal entries as lines of text: a checksum and a JSON object."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, fields, is_dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from seqpipe.tracking import _events
from seqpipe.tracking._events import Event

__all__ = ["entry_of", "event_of", "line_of", "read_lines"]

_KIND = "event"


def line_of(entry: dict[str, Any]) -> bytes:
    """Return an entry as a line."""
    text = json.dumps(entry, default=_as_json).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _as_json(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)


def read_lines(content: bytes) -> tuple[list[dict[str, Any]], int]:
    """Return the entries of a journal, and the number of damaged lines; an incomplete last line is ignored."""
    lines = content.split(b"\n")[:-1]
    entries = [entry for line in lines if (entry := _read(line)) is not None]
    return entries, len(lines) - len(entries)


def _read(line: bytes) -> dict[str, Any] | None:
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def entry_of(event: Event) -> dict[str, Any]:
    """Return an event as a JSON object; its values are not copied, which would take longer than writing them.

    Raises
    ------
    TypeError
        If an entry has a name that is no text, which JSON would turn into another one.
    """
    kind = type(event).__name__
    entry = {_KIND: kind, **{name: getattr(event, name) for name in _names(kind)}}
    for field, value in entry.items():
        unfit = [key for key in value if not isinstance(key, str)] if isinstance(value, dict) else []
        if unfit:
            raise TypeError(f"The names in {field} must be texts. Got {unfit[0]!r:.60} instead.")
    return entry


def event_of(entry: dict[str, Any]) -> Event:
    """Return the event that an entry describes.

    Raises
    ------
    ValueError
        If it is none, or its fields have other types.
    """
    kind = entry.get(_KIND)
    if not isinstance(kind, str) or kind not in _events.__all__:
        raise ValueError(f"{kind!r} is not an event")
    fields = {name: value for name, value in entry.items() if name != _KIND}
    event: Event = _adapter(kind).validate_json(json.dumps(fields))
    return event


@cache
def _names(kind: str) -> list[str]:
    return [each.name for each in fields(getattr(_events, kind))]


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(getattr(_events, kind))
