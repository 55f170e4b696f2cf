"""The description in a model's file, read strictly: which objects skops will create from it, before it does.

skops decides by a name in the file how each object is created, and some of these ways call what the file names. Only those
are accepted that models of scikit-learn and seqpipe need, each with the classes it is meant for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from seqpipe.bundle._archive import Archive
from seqpipe.bundle._trust import TrustedNames
from seqpipe.exceptions import BundleError
from seqpipe.saved import (
    ArrayOf,
    ArrayOutline,
    FunctionOutline,
    Number,
    ObjectOutline,
    Record,
    StateError,
    TextOf,
    TypeOutline,
    Whole,
)

__all__ = ["Description", "names_in"]

_Found = TypeVar("_Found")

#: Stands for an object while what it contains is read.
_UNDER_WAY = object()
_DEEPEST = 100
_MOST_NODES = 5_000_000
_PROTOCOL = 2
_KEYS = {"builtins.bool": bool, "builtins.float": float, "builtins.int": int, "builtins.str": str}
_DICTS = ("builtins.dict", "collections.OrderedDict", "sklearn.utils._bunch.Bunch")
_RANDOM_STATE = "numpy.random.mtrand.RandomState"
_OF_RANDOM_STATE = Record(
    {
        "bit_generator": TextOf(among=("MT19937",)),
        "state": Record({"key": ArrayOf("u", 1), "pos": Whole(0, 624)}),
        "has_gauss": Whole(0, 1),
        "gauss": Number(),
    }
)


def names_in(archive: Archive) -> Iterator[str]:
    """Yield the name of every class and function in a file, however it would be created."""
    nodes: list[Any] = [_schema(archive)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, list):
            nodes += node
        elif isinstance(node, dict):
            nodes += node.values()
            yield f"{node.get('__module__')}.{node.get('__class__')}"


def _schema(archive: Archive) -> Any:
    try:
        whole = json.loads(archive.schema())
    except (RecursionError, ValueError) as error:
        raise BundleError(f"its description is no JSON of at most {_DEEPEST} levels ({error})") from error
    if not isinstance(whole, dict) or whole.get("protocol") != _PROTOCOL:
        raise BundleError(f"it is not written in version {_PROTOCOL} of the format of skops")
    return whole


class Description:
    """What a file describes.

    Parameters
    ----------
    archive : Archive
    trusted : TrustedNames
        Resolves the names of classes and functions that a file may contain.

    Attributes
    ----------
    root : object
        The model: plain values and outlines.
    objects : list of (str, ObjectOutline)
        Every object with its place, those inside others included.
    names : set of str
        The classes and functions that it names.
    foreign : set of str
        Those of them that are not trusted where they are named; their outlines are None.
    callers : list of str
        Descriptions of what skops would create by calling a function.

    Raises
    ------
    BundleError
        If it is not as skops writes it, or is nested too deeply; the message names the place.
    """

    def __init__(self, archive: Archive, trusted: TrustedNames) -> None:
        self._archive = archive
        self._trusted = trusted
        self._seen: dict[Any, tuple[Any, int]] = {}
        self._n_nodes = 0
        self.names: set[str] = set()
        self.foreign: set[str] = set()
        self.callers: list[str] = []
        self.objects: list[tuple[str, ObjectOutline]] = []
        try:
            self.root = self._value(_schema(archive), "the model", 0)
        except RecursionError as error:
            raise BundleError(f"it is nested more than {_DEEPEST} levels deep") from error

    def _value(self, node: Any, place: str, depth: int) -> Any:
        """Return the value or outline of what a node describes; as skops, of the first one with the same number."""
        number = node.get("__id__") if isinstance(node, dict) else None
        known, size = self._seen.get(number, (None, 1)) if number is not None else (None, 1)
        before, self._n_nodes = self._n_nodes, self._n_nodes + size
        if depth > _DEEPEST or self._n_nodes > _MOST_NODES:
            raise BundleError(f"{place:.200} is nested more than {_DEEPEST} levels deep, or one of too many objects")
        if number is not None and number in self._seen:
            if known is _UNDER_WAY:
                raise BundleError(f"{place:.200} contains itself")
            return known
        if number is not None:
            self._seen[number] = _UNDER_WAY, 1
        found = self._new_value(node, place, depth)
        if number is not None:
            self._seen[number] = found, self._n_nodes - before
        return found

    def _new_value(self, node: Any, place: str, depth: int) -> Any:
        try:
            kind, loader = f"{node['__module__']}.{node['__class__']}", node["__loader__"]
            if loader not in _READERS:
                self._named(kind, self._trusted.is_trusted(kind) or None)
                self.callers.append(f"{place:.200} as {loader!r:.60}")
                return None
            return _READERS[loader](self, node, kind, place, depth)
        except (KeyError, TypeError, AttributeError) as error:
            raise BundleError(f"{place:.200} is not described as skops does ({error!r:.100})") from error

    def _scalar(self, node: Any, kind: str, place: str, depth: int) -> Any:
        value = json.loads(node["content"])
        if isinstance(value, dict | list):
            raise BundleError(f"{place:.200} must be a single value")
        return value

    def _dict(self, node: Any, kind: str, place: str, depth: int) -> dict[Any, Any]:
        self._known(kind, _DICTS, place)
        types = self._value(node["key_types"], f"the keys of {place}", depth + 1)
        content = node["content"]
        if len(types) != len(content) or not isinstance(types, list):
            raise BundleError(f"{place:.200} has {len(content)} entries and {len(types)} types of names")
        found = {}
        for each, (key, value) in zip(types, content.items()):
            name = self._key(each, key, place)
            found[name] = self._value(
                value, f"{place}.{name}" if isinstance(name, str) else f"{place}[{name!r}]", depth + 1
            )
        return found

    def _key(self, kind: Any, key: str, place: str) -> Any:
        if not isinstance(kind, TypeOutline):
            raise BundleError(f"the names in {place:.200} must be texts or numbers")
        plain = kind.kind in _KEYS.values() or issubclass(kind.kind, np.generic)
        if not plain:
            raise BundleError(f"the names in {place:.200} must be texts or numbers, not {kind.kind.__name__}")
        return kind.kind(key)

    def _list(self, node: Any, kind: str, place: str, depth: int) -> list[Any]:
        self._known(kind, ("builtins.list",), place)
        return self._items(node["content"], place, depth)

    def _tuple(self, node: Any, kind: str, place: str, depth: int) -> tuple[Any, ...]:
        self._known(kind, ("builtins.tuple",), place)
        return tuple(self._items(node["content"], place, depth))

    def _set(self, node: Any, kind: str, place: str, depth: int) -> set[Any]:
        self._known(kind, ("builtins.set",), place)
        found = self._items(node["content"], place, depth)
        if not all(isinstance(item, str | int | float | None) for item in found):
            raise BundleError(f"{place:.200} must be a set of texts and numbers")
        return set(found)

    def _items(self, content: Any, place: str, depth: int) -> list[Any]:
        if not isinstance(content, list):
            raise BundleError(f"{place:.200} must have a list of items")
        return [self._value(item, f"{place}[{i}]", depth + 1) for i, item in enumerate(content)]

    def _array(self, node: Any, kind: str, place: str, depth: int) -> Any:
        if node["type"] == "json":
            self._known(kind, ("numpy.ndarray",), place)
            return self._objects(node, place, depth)
        if kind == "numpy.ndarray":
            return self._archive.array(node["file"])
        value = self._archive.scalar(node["file"])
        self._known(kind, tuple({f"numpy.{type(value).__name__}", f"numpy.{value.dtype.name}"}), place)
        return value

    def _objects(self, node: Any, place: str, depth: int) -> ArrayOutline:
        """Return the outline of an array of objects; with several axes its items are lists of plain values."""
        items = self._items(node["content"], place, depth)
        shape = self._value(node["shape"], f"the shape of {place}", depth + 1)
        if not isinstance(shape, tuple) or not all(Whole().suits(n) for n in shape):
            raise BundleError(f"{place:.200} has no valid shape")
        if len(shape) != 1 and not _is_nested(items):
            raise BundleError(f"{place:.200} has several axes and must hold numbers and texts only")
        return ArrayOutline(np.dtype(object), shape, tuple(items))

    def _masked(self, node: Any, kind: str, place: str, depth: int) -> Any:
        self._known(kind, ("numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"), place)
        data = self._value(node["content"]["data"], place, depth + 1)
        mask = self._value(node["content"]["mask"], f"the mask of {place}", depth + 1)
        if not isinstance(data, ArrayOutline) or not getattr(mask, "dtype", None) == np.bool_:
            raise BundleError(f"{place:.200} must be an array with a mask")
        return data

    def _dtype(self, node: Any, kind: str, place: str, depth: int) -> TypeOutline:
        self._known(kind, ("numpy.dtype",), place)
        found = self._value(node["content"], place, depth + 1)
        if not isinstance(found, ArrayOutline) or found.items:
            raise BundleError(f"{place:.200} must be a data type of numpy")
        return TypeOutline(found.dtype.type)

    def _slice(self, node: Any, kind: str, place: str, depth: int) -> slice:
        self._known(kind, ("builtins.slice",), place)
        ends = [node["content"][name] for name in ("start", "stop", "step")]
        if not all(each is None or isinstance(each, int | str) for each in ends):
            raise BundleError(f"{place:.200} must be a range of columns")
        return slice(*ends)

    def _random_state(self, node: Any, kind: str, place: str, depth: int) -> ObjectOutline:
        self._known(kind, (_RANDOM_STATE,), place)
        state = self._value(node["content"], place, depth + 1)
        try:
            _OF_RANDOM_STATE.check(state, place)
        except StateError as error:
            raise BundleError(str(error)) from error
        key = state["state"]["key"]
        if key.dtype != np.uint32 or key.shape != (624,):  # numpy reads beyond others
            raise BundleError(f"{place:.200} has a key that is {key}")
        return ObjectOutline(np.random.RandomState)

    def _object(self, node: Any, kind: str, place: str, depth: int) -> ObjectOutline | None:
        content = node.get("content")
        state = {} if content is None else self._value(content, place, depth + 1)
        cls = self._named(kind, self._trusted.object_class(kind))
        if cls is None:
            return None
        if state is not None and not (isinstance(state, dict) and all(isinstance(name, str) for name in state)):
            raise BundleError(f"{place:.200} must have a state of named attributes")
        found = ObjectOutline(cls, state or {})
        self.objects.append((place, found))
        return found

    def _loss(self, node: Any, kind: str, place: str, depth: int) -> ObjectOutline | None:
        """Return the outline of a loss function of scikit-learn's generalized linear models."""
        state = self._value(node["content"], place, depth + 1)
        args = self._value(node["__reduce__"]["args"], place, depth + 1)
        numbers = [*(args if isinstance(args, tuple) else [args]), *(state or ())]
        if not all(Number().suits(each) for each in numbers):
            raise BundleError(f"{place:.200} must be a loss function with numbers as parameters")
        cls = self._named(kind, self._trusted.loss_class(kind))
        return None if cls is None else ObjectOutline(cls)

    def _type(self, node: Any, kind: str, place: str, depth: int) -> TypeOutline | None:
        cls = self._named(kind, self._trusted.plain_class(kind))
        return None if cls is None else TypeOutline(cls)

    def _function(self, node: Any, kind: str, place: str, depth: int) -> FunctionOutline | None:
        return self._named(kind, FunctionOutline(kind) if self._trusted.is_function(kind) else None)

    def _named(self, kind: str, found: _Found) -> _Found:
        """Note a name of the file, and whether it is trusted."""
        self.names.add(kind)
        if found is None:
            self.foreign.add(kind)
        return found

    def _known(self, kind: str, expected: tuple[str, ...], place: str) -> None:
        """Check that a node is of the class that its reader is meant for: skops calls the class that it names."""
        self.names.add(kind)
        if kind not in expected:
            raise BundleError(f"{place:.200} is described as {kind:.200}, not as {' or '.join(sorted(expected))}")


def _is_nested(items: list[Any]) -> bool:
    """Return whether items are plain values, or lists of plain values."""
    return all(_is_nested(item) if type(item) is list else not hasattr(item, "shape") for item in items)


_READERS: dict[Any, Callable[[Description, Any, str, str, int], Any]] = {
    "DTypeNode": Description._dtype,
    "DictNode": Description._dict,
    "FunctionNode": Description._function,
    "JsonNode": Description._scalar,
    "ListNode": Description._list,
    "LossNode": Description._loss,
    "MaskedArrayNode": Description._masked,
    "NdArrayNode": Description._array,
    "ObjectNode": Description._object,
    "RandomStateNode": Description._random_state,
    "SetNode": Description._set,
    "SliceNode": Description._slice,
    "TupleNode": Description._tuple,
    "TypeNode": Description._type,
}
