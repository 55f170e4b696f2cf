"""What the code of a function reads: names of globals and attributes, or what no name tells."""

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
#: Modules whose functions return something else at each call, or depend on what is outside of the program.
_CHANGING = frozenset({"datetime", "io", "os", "pathlib", "random", "secrets", "subprocess", "sys", "time", "uuid"})
#: Built-in functions that read what no name in the code tells.
_OPEN_ENDED = frozenset({"__import__", "eval", "exec", "globals", "input", "open"})
#: What a trace may have otherwise than the loop: attributes of tensors, and what torch tells of its state.
_OF_TRACE = frozenset({
    "grad_fn", "is_leaf", "requires_grad", "get_num_threads", "is_autocast_enabled", "is_grad_enabled",
    "is_inference_mode_enabled",
})  # fmt: skip
_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
#: Instructions between a global and what is done with it.
_FILLERS = frozenset({"CACHE", "EXTENDED_ARG", "PUSH_NULL"})
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
    unseen : str or None
        What else the code does that a comparison of these cannot detect, or that may happen once per step only.
    """

    names: frozenset[str]
    places: tuple[tuple[dict[str, Any], str], ...]
    unseen: str | None = None


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
    return CodeReads(frozenset(names), tuple(places.values()), next(_unseen(function, function.__code__), None))


def _unseen(function: FunctionType, code: CodeType) -> Iterator[str]:
    """Yield what the code does that no comparison of names detects."""
    found = function.__globals__
    instructions = [each for each in dis.get_instructions(code) if each.opname not in _FILLERS]
    for one, following in zip(instructions, [*instructions[1:], None]):
        name, after = one.argval, "" if following is None else following.opname
        if one.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            yield f"assigns the global {name!r}"
        elif one.opname == "IMPORT_NAME" and name.partition(".")[0] not in _LIBRARIES:
            yield f"imports {name!r} at each call"
        elif one.opname in _ATTRIBUTE and name in _OF_TRACE:
            yield f"reads {name!r}, which may be another in a trace"
        elif one.opname in _GLOBAL and name not in found and name in _OPEN_ENDED:
            yield f"calls {name!r}"
        elif one.opname in _GLOBAL and _is_changing(found.get(name)):
            yield f"uses the module {name!r}"
        elif one.opname in _GLOBAL and after in ("COPY", "STORE_ATTR"):
            yield f"assigns an attribute of {name!r}"
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _unseen(function, inner)


def _is_changing(value: Any) -> bool:
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return isinstance(name, str) and name.partition(".")[0] in _CHANGING


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
        elif instruction.opname not in _FILLERS:
            last = None
    yield from _loads_of_all(inner for inner in code.co_consts if isinstance(inner, CodeType))


def _loads_of_all(codes: Iterable[CodeType]) -> Iterator[tuple[str | None, str]]:
    for code in codes:
        yield from _loads(code)
