"""Values as tokens: equal tokens mean equal values, even after changes in place or reuse of an ``id``."""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from operator import is_
from struct import calcsize
from types import (
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    SimpleNamespace,
    WrapperDescriptorType,
)
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from seqpipe.recurrence.contents._code_reads import ANY_NAME, is_library, reads_of

__all__ = ["ClassView", "Tokens", "Untracked", "class_view", "token_of_plain"]

#: Types whose values, together with the type, are their own tokens: ``True``, 1 and 1.0 are equal.
_PLAIN = frozenset({
    float, int, str, bytes, bool, complex, type(None), type(Ellipsis), range, torch.dtype, torch.device, torch.Size,
})  # fmt: skip
#: Types whose objects never change and are compared by identity; the token references them, so no ``id`` is reused.
_FIXED = (
    BuiltinFunctionType, ModuleType, enum.Enum, np.ufunc, MethodDescriptorType, WrapperDescriptorType,
    MethodWrapperType, MemberDescriptorType, GetSetDescriptorType, torch._ops.OpOverload, torch._ops.OpOverloadPacket,
    torch.jit.ScriptFunction,
)  # fmt: skip
#: Limits above which comparing values at every run costs more than a plan saves.
_MAX_VALUES, _MAX_BYTES = 2000, 2**16


def token_of_plain(value: Any) -> Hashable:
    """Return the token of a plain value: ``True``, 1 and 1.0 have different tokens, as 0.0 and -0.0; NaN has one."""
    if type(value) is float:
        return value if value > 0 or value < 0 else f"float {value!r}"
    return (type(value), value)


class Untracked(Exception):
    """A value whose changes cannot be detected; the message says where it is held and what it is."""


class ClassView:
    """The attributes that objects of a class get from the class and its bases.

    Attributes
    ----------
    stable : hashable
        Attributes that are compared by identity.
    mutable : list of (str, object)
        Attributes that may change in place, or functions that read such values.
    names : frozenset of str
        Names of attributes that the class's code reads.
    """

    def __init__(self, bases: list[type], roots: frozenset[str]) -> None:
        self._bases = bases
        self._values = [tuple(vars(base).values()) for base in bases]
        own: dict[str, Any] = {}
        for base in reversed(bases):
            own.update(vars(base))
        functions = {name: f for name, value in own.items() if (f := _function_in(value)) is not None}
        self.names, reached = _reached(functions, roots, bases)
        data = {n: v for n, v in own.items() if n not in functions and not n.startswith("__") and n != "_abc_impl"}
        plain = {name: token_of_plain(value) for name, value in data.items() if type(value) in _PLAIN}
        self.stable = (*functions.items(), *plain.items())
        self.mutable = [(f.__qualname__, f) for f in reached if _reads_mutable(f)]
        self.mutable += [(n, v) for n, v in data.items() if n not in plain and self.mentions(n)]

    def is_current(self) -> bool:
        """Return whether all attributes are still the same objects."""
        for base, values in zip(self._bases, self._values):
            now = vars(base).values()
            if len(now) != len(values) or not all(map(is_, now, values)):
                return False
        return True

    def mentions(self, name: str) -> bool:
        """Return whether the class's code may read an attribute of that name."""
        return name in self.names or ANY_NAME in self.names


_VIEWS: WeakKeyDictionary[type, ClassView | None] = WeakKeyDictionary()
#: Entry points of a step, from which the functions that it calls are found.
_ROOTS = frozenset({
    "step", "project", "linear_coefficients", "linear_output", "scan", "forward", "__call__", "output_size", "recur",
})  # fmt: skip


def class_view(cls: type) -> ClassView | None:
    """Return the view of a class; None for classes of libraries, which do not change."""
    try:
        view = _VIEWS[cls]
        if view is None or view.is_current():
            return view
    except KeyError:
        pass
    bases = [base for base in cls.__mro__ if base is not object and not is_library(base)]
    roots = _ROOTS if issubclass(cls, nn.Module) else frozenset({ANY_NAME})
    view = _VIEWS[cls] = ClassView(bases, roots) if bases else None
    return view


class Tokens:
    """Compute tokens of the values that an object holds, and collect the tensors in it.

    Attributes
    ----------
    tensors : dict of str to Tensor
        Tensors by path; they are not part of tokens.
    """

    def __init__(self, known: dict[int, str]) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._known = known  # path of each visited object by id; all stay alive during the traversal
        self._n_values = 0

    def of(self, value: Any, path: str) -> Hashable:
        """Return the token of a value.

        Raises
        ------
        Untracked
            If changes of the value cannot be detected.
        """
        kind = type(value)
        if kind in _PLAIN:
            return token_of_plain(value)
        self._n_values += 1
        if self._n_values > _MAX_VALUES:
            raise Untracked(f"{path!r} belongs to more than {_MAX_VALUES} values, too many to compare at every run")
        if isinstance(value, _FIXED):
            return value
        if id(value) in self._known:
            return ("again", self._known[id(value)])
        self._known[id(value)] = path
        return (kind, self._inside(value, kind, path))

    def begin(self) -> None:
        """Reset the number of values, whose limit applies to each attribute of a cell."""
        self._n_values = 0

    def _inside(self, value: Any, kind: type, path: str) -> Hashable:
        if isinstance(value, Tensor):
            self.tensors[path] = value
            return "tensor"
        if isinstance(value, type):
            return (value, self.of_class(value, path))
        for types, function in _BY_KIND:
            if isinstance(value, types):
                inside = function(self, value, path)
                return (inside, self._attributes(value, path)) if getattr(value, "__dict__", None) else inside
        if not _hides_memory(kind):
            return (self._attributes(value, path), self.of_class(kind, path))
        raise Untracked(f"{path!r} is a {kind.__module__}.{kind.__qualname__}, whose changes cannot be detected")

    def of_class(self, cls: type, path: str) -> Hashable:
        """Return the token of the attributes that a class provides."""
        view = class_view(cls)
        if view is None:
            return None
        return (view.stable, *[self.of(value, f"{path}.{name}") for name, value in view.mutable])

    def of_function(self, function: FunctionType, path: str) -> Hashable:
        """Return the token of a function and of the values that it reads."""
        if is_library(function):
            return function
        if (unseen := reads_of(function).unseen) is not None:
            raise Untracked(f"{path!r} {unseen}")
        reads = [self._of_place(where, name, path) for where, name in reads_of(function).places]
        cells = [self._of_cell(cell, path) for cell in function.__closure__ or ()]
        return (function, function.__code__, self.of(function.__defaults__, path), *reads, *cells)

    def _of_place(self, where: dict[str, Any], name: str, path: str) -> Hashable:
        return self.of(where[name], f"{name} of {path}") if name in where else None

    def _of_cell(self, cell: Any, path: str) -> Hashable:
        try:
            return self.of(cell.cell_contents, f"a closure of {path}")
        except ValueError:  # the cell is empty
            return None

    def _attributes(self, value: Any, path: str) -> Hashable:
        return tuple([(key, self.of(item, f"{path}.{key}")) for key, item in _attributes_of(value)])

    def _of_items(self, value: Any, path: str) -> Hashable:
        return tuple([self.of(item, f"{path}[{i}]") for i, item in enumerate(value)])

    def _of_mapping(self, value: Any, path: str) -> Hashable:
        return tuple([(self.of(key, path), self.of(item, f"{path}[{key!r:.30}]")) for key, item in value.items()])

    def _of_set(self, value: Any, path: str) -> Hashable:
        return frozenset([self.of(item, path) for item in value])

    def _of_array(self, value: Any, path: str) -> Hashable:
        if value.dtype == object or value.nbytes > _MAX_BYTES:
            raise Untracked(f"{path!r} is a large array or an array of objects; make it a buffer")
        return (value.dtype.str, value.shape, value.tobytes())

    def _of_method(self, value: MethodType, path: str) -> Hashable:
        return (self.of(value.__func__, path), self.of(value.__self__, path))

    def _of_partial(self, value: partial[Any], path: str) -> Hashable:
        return tuple([self.of(part, path) for part in (value.func, value.args, value.keywords)])

    def _of_accessor(self, value: Any, path: str) -> Hashable:
        functions = (value.fget, value.fset) if isinstance(value, property) else (value.__func__,)
        return tuple([self.of(function, path) for function in functions])

    def _of_slice(self, value: slice, path: str) -> Hashable:
        return tuple([self.of(part, path) for part in (value.start, value.stop, value.step)])


_BY_KIND: tuple[tuple[Any, Callable[..., Hashable]], ...] = (
    (FunctionType, Tokens.of_function),
    (MethodType, Tokens._of_method),
    ((dict, MappingProxyType), Tokens._of_mapping),
    ((list, tuple), Tokens._of_items),
    ((set, frozenset), Tokens._of_set),
    (np.ndarray, Tokens._of_array),
    (np.generic, lambda tokens, value, path: (value.dtype.str, value.tobytes())),
    (slice, Tokens._of_slice),
    (partial, Tokens._of_partial),
    ((property, staticmethod, classmethod), Tokens._of_accessor),
    ((int, float, str, bytes), lambda tokens, value, path: repr(value)),
    (SimpleNamespace, lambda tokens, value, path: None),
)


def _hides_memory(kind: type) -> bool:
    """Return whether objects have memory besides their attributes, as those of types written in C have.

    As in ``object.__reduce_ex__``, such objects are larger than their attributes require.
    """
    managed_weakref, managed_dict = 1 << 3, 1 << 4
    words = len(_slots_of(kind))
    words += bool(kind.__dictoffset__ and not kind.__flags__ & managed_dict)
    words += bool(kind.__weakrefoffset__ and not kind.__flags__ & managed_weakref)
    return kind.__basicsize__ > object.__basicsize__ + words * calcsize("P")


def _slots_of(kind: type) -> list[str]:
    found: list[str] = []
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        found += [slots] if isinstance(slots, str) else slots
    return [name for name in found if name not in ("__dict__", "__weakref__")]


def _attributes_of(value: Any) -> Iterator[tuple[str, Any]]:
    yield from getattr(value, "__dict__", {}).items()
    for name in _slots_of(type(value)):
        if hasattr(value, name):
            yield name, getattr(value, name)


def _function_in(value: Any) -> FunctionType | None:
    """Return the function that an attribute of a class is or wraps."""
    if isinstance(value, property):
        value = value.fget
    elif isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    return value if isinstance(value, FunctionType) else None


def _reached(
    functions: dict[str, FunctionType], roots: frozenset[str], bases: list[type]
) -> tuple[frozenset[str], list[FunctionType]]:
    """Return the names that code reachable from the roots reads, and the functions reached, overridden ones included."""
    names, pending, seen = set(roots), list(roots), []
    if ANY_NAME in roots:
        pending = list(functions)
    while pending:
        name = pending.pop()
        for base in bases:
            function = _function_in(vars(base).get(name))
            if function is None or function in seen:
                continue
            seen.append(function)
            more = _names_of(function, [])
            pending += functions if ANY_NAME in more else (more & functions.keys()) - names
            names |= more
    return frozenset(names), seen


def _names_of(function: FunctionType, seen: list[FunctionType]) -> frozenset[str]:
    """Return the names of attributes that a function, and the user's functions that it calls, read."""
    if function in seen or is_library(function):
        return frozenset()
    seen.append(function)
    reads = reads_of(function)
    called = [where.get(name) for where, name in reads.places] + [c.cell_contents for c in _nonempty_cells(function)]
    return reads.names.union(*[_names_of(f, seen) for value in called for f in _functions_in(value)])


def _functions_in(value: Any, depth: int = 3) -> Iterator[FunctionType]:
    """Yield the functions that code can reach through a value."""
    if isinstance(value, FunctionType):
        yield value
    elif depth and isinstance(value, (dict, list, tuple, set)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _functions_in(item, depth - 1)


def _nonempty_cells(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            _ = cell.cell_contents
        except ValueError:
            continue
        yield cell


def _reads_mutable(function: FunctionType) -> bool:
    """Return whether a function reads values that may change while the function stays the same."""
    if is_library(function):
        return False
    reads = reads_of(function)
    return bool(reads.places or reads.unseen or function.__closure__ or function.__defaults__)
