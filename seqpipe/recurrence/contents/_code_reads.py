"""What the code of a function reads besides its arguments: globals, closures, defaults, and names of attributes."""

from __future__ import annotations

import dis
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

__all__ = ["ANY_NAME", "CodeReads", "is_library", "reads_of"]

#: Where code finds attributes by names that only running it tells.
_BY_NAME = frozenset(
    {"getattr", "hasattr", "setattr", "vars", "locals", "globals", "eval", "exec", "__dict__", "__getattribute__"}
)
#: Stands for every name.
ANY_NAME = "*"
_LIBRARIES = frozenset(
    {"torch", "numpy", "math", "seqpipe", "functools", "itertools", "operator", "typing", "builtins"}
)
_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "LOAD_SUPER_ATTR", "LOAD_SUPER_METHOD"})


@dataclass(frozen=True)
class CodeReads:
    """What a function reads.

    Attributes
    ----------
    names : frozenset of str
        Attributes, of any object; `ANY_NAME` is among them where they cannot be told from the code.
    places : tuple of (dict, str)
        The globals, and attributes of the user's own modules, by the dict that holds them.
    """

    names: frozenset[str]
    places: tuple[tuple[dict[str, Any], str], ...]


_FOUND: WeakKeyDictionary[FunctionType, tuple[CodeType, CodeReads]] = WeakKeyDictionary()


def reads_of(function: FunctionType) -> CodeReads:
    """Return what a function's code reads; looked for once, and again after its code was replaced."""
    found = _FOUND.get(function)
    if found is None or found[0] is not function.__code__:
        found = _FOUND[function] = (function.__code__, _reads(function))
    return found[1]


def is_library(value: Any) -> bool:
    """Tell whether a module, class or function belongs to a library that does not change while it runs."""
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
        elif owner in _BY_NAME:
            names.add(ANY_NAME)
    if names & _BY_NAME:
        names.add(ANY_NAME)
    return CodeReads(frozenset(names), tuple(places.values()))


def _loads(code: CodeType) -> Iterator[tuple[str | None, str]]:
    """Give (global, attribute of it or nothing) and (None, attribute) in the order of the code."""
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
    yield from _of_all(inner for inner in code.co_consts if isinstance(inner, CodeType))


def _of_all(codes: Iterable[CodeType]) -> Iterator[tuple[str | None, str]]:
    for code in codes:
        yield from _loads(code)
