"""The names that the code of a function reads: globals and attributes."""

from __future__ import annotations

import dis
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

__all__ = ["ANY_NAME", "CodeReads", "is_library", "reads_of"]

#: Names through which code accesses attributes that are known only at run time.
_DYNAMIC = frozenset(
    {"getattr", "hasattr", "setattr", "vars", "locals", "globals", "eval", "exec", "__dict__", "__getattribute__"}
)
#: Wildcard for every name.
ANY_NAME = "*"
_LIBRARIES = frozenset(
    {"torch", "numpy", "math", "seqpipe", "functools", "itertools", "operator", "typing", "builtins"}
)
_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "LOAD_SUPER_ATTR", "LOAD_SUPER_METHOD"})


@dataclass(frozen=True)
class CodeReads:
    """The names that a function reads.

    Attributes
    ----------
    names : frozenset of str
        Names of attributes of any object, with `ANY_NAME` if the code does not determine them.
    places : tuple of (dict, str)
        Globals and attributes of user modules, each as a namespace and a name in it.
    """

    names: frozenset[str]
    places: tuple[tuple[dict[str, Any], str], ...]


_FOUND: WeakKeyDictionary[FunctionType, tuple[CodeType, CodeReads]] = WeakKeyDictionary()


def reads_of(function: FunctionType) -> CodeReads:
    """Return the names that a function's code reads; cached until its code is replaced."""
    found = _FOUND.get(function)
    if found is None or found[0] is not function.__code__:
        found = _FOUND[function] = (function.__code__, _reads(function))
    return found[1]


def is_library(value: Any) -> bool:
    """Return whether a module, class or function belongs to a library that does not change at run time."""
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return isinstance(name, str) and name.partition(".")[0] in _LIBRARIES


def _reads(function: FunctionType) -> CodeReads:
    names, places = set(), {}
    for owner, name in _loads(function.__code__):
        if owner is None:
            names.add(name)
        elif owner in function.__globals__:
            value = function.__globals__[owner]
            if not name:
                places[id(function.__globals__), owner] = (function.__globals__, owner)
            elif isinstance(value, ModuleType) and not is_library(value) and name in vars(value):
                places[id(vars(value)), name] = (vars(value), name)
        elif owner in _DYNAMIC:
            names.add(ANY_NAME)
    if names & _DYNAMIC:
        names.add(ANY_NAME)
    return CodeReads(frozenset(names), tuple(places.values()))


def _loads(code: CodeType) -> Iterator[tuple[str | None, str]]:
    """Yield (global, its attribute or "") and (None, attribute) in the order of the code."""
    last = None
    for instruction in dis.get_instructions(code):
        name = instruction.argval
        if instruction.opname in _GLOBAL:
            last = name
            yield name, ""
        elif instruction.opname in _ATTRIBUTE:
            yield None, name
            if last is not None:
                yield last, name
            last = None
        elif instruction.opname not in ("CACHE", "EXTENDED_ARG", "PUSH_NULL"):
            last = None
    yield from _loads_of_all(inner for inner in code.co_consts if isinstance(inner, CodeType))


def _loads_of_all(codes: Iterable[CodeType]) -> Iterator[tuple[str | None, str]]:
    for code in codes:
        yield from _loads(code)
