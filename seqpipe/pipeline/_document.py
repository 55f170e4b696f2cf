"""Parsing of YAML 1.2 to plain data, with the position of each value."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    ScalarEvent,
)
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from seqpipe.exceptions import RecipeError

__all__ = ["Document", "FieldPath", "dotted", "parse_yaml", "read_document", "write_yaml"]

#: Keys and list positions from the root of a document to one of its values.
FieldPath = tuple[str | int, ...]

_MAX_BYTES = 1_000_000
_MAX_DEPTH = 50
_MAX_ALIASES = 100
_MAX_NODES = 100_000
_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("bool", "float", "int", "null")}


@dataclass(frozen=True)
class Document:
    """Plain data with the position of each value.

    Attributes
    ----------
    data : object
        Dicts, lists, strings, numbers, booleans, None.
    places : mapping of field path to str
        Position of each value, such as ``"pipelines/digits.yaml:12"``.
    folder : Path or None
        Folder of the file; None if there is no file.
    """

    data: Any
    places: Mapping[FieldPath, str] = field(default_factory=dict)
    folder: Path | None = None

    def place(self, path: FieldPath) -> str:
        """Return the position of a value, or of the innermost enclosing value with a known position."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, "recipe")

    def error(self, path: FieldPath, message: str) -> RecipeError:
        """Return an error for ``path``: position, field, message."""
        place, name = self.place(path), dotted(path)
        parts = [place, message] if not path or place.endswith(f" {name}") else [place, name, message]
        return RecipeError(": ".join(parts))


def dotted(path: FieldPath) -> str:
    """Return a field path in dotted notation: ``search.grid.cell[1]``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def read_document(path: Path) -> Document:
    """Read a YAML file.

    Raises
    ------
    RecipeError
        If the file is missing, too large, not UTF-8, or refused by `parse_yaml`.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)  # a device has no size, and a file may grow
    except OSError as error:
        raise RecipeError(f"{path}: the recipe cannot be read: {error.strerror}.") from error
    if len(content) > _MAX_BYTES:
        raise RecipeError(
            f"{path}: a recipe must have at most {_MAX_BYTES:,} bytes, but this file has {max(size, len(content)):,}."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise RecipeError(f"{path}:{line}: the file is not UTF-8 text; save it as UTF-8.") from error
    data, lines = parse_yaml(text, str(path))
    places = {where: f"{path}:{line}" for where, line in lines.items()}
    return Document(data, places, path.parent)


def parse_yaml(text: str, source: str) -> tuple[Any, dict[FieldPath, int]]:
    """Parse the single document in ``text``; return it with the line of each of its values, counted from 1.

    Tags are rejected, so that a document cannot refer to Python types; so are duplicate keys, YAML 1.1,
    and anything that would grow without bound.

    Raises
    ------
    RecipeError
        If the text is not valid; the message names ``source`` and the line.
    """
    try:
        for _ in _safe_events(text, source):
            pass
        root = YAML(typ="safe", pure=True).compose(io.StringIO(text))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RecipeError(f"{source}:{line}: invalid YAML: {error.problem or error.context}.") from error
    except YAMLError as error:
        raise RecipeError(f"{source}: invalid YAML: {str(error).splitlines()[0]}.") from error
    if root is None:
        return None, {(): 1}
    reader = _Reader(source)
    return reader.read(root, ()), reader.lines


def write_yaml(data: Any) -> str:
    """Return plain data as YAML text; the order of keys is kept."""
    text = io.StringIO()
    yaml = YAML(typ="rt", pure=True)
    yaml.representer.ignore_aliases = lambda data: True
    yaml.dump(data, text)
    return text.getvalue()


def _safe_events(text: str, source: str) -> Iterator[Event]:
    """Yield the events of the parser; raise at an unsafe one, before any object is constructed."""
    depth = aliases = 0
    for event in YAML(typ="safe", pure=True).parse(io.StringIO(text)):
        place = f"{source}:{event.start_mark.line + 1}"
        if isinstance(event, CollectionStartEvent | ScalarEvent) and event.ctag is not None:
            raise RecipeError(
                f"{place}: the tag {str(event.tag)!r} is not allowed; a recipe may contain plain values only."
            )
        if isinstance(event, DocumentStartEvent) and event.version not in (None, (1, 2)):
            raise RecipeError(f"{place}: recipes must be YAML 1.2; remove the %YAML line.")
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        aliases += isinstance(event, AliasEvent)
        if depth > _MAX_DEPTH:
            raise RecipeError(f"{place}: values are nested more than {_MAX_DEPTH} deep.")
        if aliases > _MAX_ALIASES:
            raise RecipeError(f"{place}: more than {_MAX_ALIASES} aliases are used; write the values out.")
        yield event


class _Reader:
    """Converts nodes to plain data and records their lines."""

    def __init__(self, source: str) -> None:
        self.lines: dict[FieldPath, int] = {}
        self._source = source
        self._scalars = YAML(typ="safe", pure=True).constructor
        self._read = 0

    def read(self, node: Node, path: FieldPath, line: int | None = None) -> Any:
        self.lines[path] = line or node.start_mark.line + 1
        self._read += 1
        if self._read > _MAX_NODES or len(path) > _MAX_DEPTH:  # aliases can expand a short text exponentially
            raise self._error(node, "its aliases expand to too many values; write the values out")
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.read(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: MappingNode, path: FieldPath) -> dict[str | int, Any]:
        found: dict[str | int, Any] = {}
        for key_node, value_node in node.value:
            key = self._scalar(key_node) if isinstance(key_node, ScalarNode) else None
            if not isinstance(key, str | int) or isinstance(key, bool):
                raise self._error(key_node, "a key must be text or an integer; put it in quotes")
            if key in found:
                first = self.lines[(*path, key)]
                raise self._error(key_node, f"the key {key!r} is already defined on line {first}; keep one")
            found[key] = self.read(value_node, (*path, key), key_node.start_mark.line + 1)
        return found

    def _scalar(self, node: Node) -> Any:
        if str(node.tag) not in _PLAIN_TAGS:
            return node.value
        try:
            return self._scalars.construct_object(node)
        except ValueError as error:
            raise self._error(node, f"the number cannot be parsed: {error}") from error

    def _error(self, node: Node, message: str) -> RecipeError:
        return RecipeError(f"{self._source}:{node.start_mark.line + 1}: {message}.")
