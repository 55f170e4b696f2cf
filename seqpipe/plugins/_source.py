"""What a plug-in offers, read from its source without importing it.

A hook is a function that is decorated with ``hookimpl``, and a name the first argument of a record such as
``CellSpec("mgu", …)``. What cannot be read, such as a name computed by a loop, is found when the plug-in is imported.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from seqpipe.exceptions import did_you_mean
from seqpipe.hookspecs import API_VERSION
from seqpipe.plugins._kinds import KIND_OF_HOOK, KIND_OF_SPEC, KINDS

__all__ = ["Offer", "SourceOffers", "api_refusal", "no_hook", "read_source"]

_MARKER = "hookimpl"


@dataclass(frozen=True)
class Offer:
    """A name that the source of a plug-in contains, with its summary."""

    name: str
    summary: str = ""


@dataclass(frozen=True)
class SourceOffers:
    """What a plug-in offers, as far as its source says.

    Attributes
    ----------
    names : mapping of str to tuple of Offer
        Names by kind.
    open_kinds : frozenset of str
        Kinds of which it may offer names that cannot be read.
    status, reason : str
        "failed", "skipped" or "empty" if an import would find it so, with the reason; else empty.
    """

    names: Mapping[str, tuple[Offer, ...]] = field(default_factory=dict)
    open_kinds: frozenset[str] = frozenset()
    status: str = ""
    reason: str = ""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that it may offer."""
        return self.open_kinds | frozenset(self.names)

    def may_offer(self, kind: str, name: str) -> bool:
        """Return whether it may offer a name."""
        return kind in self.open_kinds or any(offer.name == name for offer in self.names.get(kind, ()))


#: Of a module whose source cannot be read, such as one of compiled code.
_UNKNOWN = SourceOffers(open_kinds=frozenset(KINDS))


def read_source(value: str) -> SourceOffers:
    """Return what the module of an entry point offers; ``value`` is "package.module" or "package.module:object"."""
    module, _, attribute = value.partition(":")
    try:
        path = _path(module.strip())
    except Exception:
        return _UNKNOWN
    if path is None:
        missing = f"ModuleNotFoundError: No module named {module.strip()!r}"
        return SourceOffers(open_kinds=frozenset(KINDS), status="failed", reason=missing)
    if path.suffix != ".py":
        return _UNKNOWN
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, ValueError):
        return _UNKNOWN
    except SyntaxError as error:
        return SourceOffers(status="failed", reason=f"SyntaxError: {error.msg} ({path.name}, line {error.lineno})")
    return _offers(tree, is_whole=not attribute)


def api_refusal(api: object) -> str:
    """Return why a plug-in for this version of the API cannot be used, or nothing."""
    if not isinstance(api, int):
        return f"SEQPIPE_API must be an integer, such as {API_VERSION}. Got {api!r} instead"
    if api <= API_VERSION:
        return ""
    return f"written for plug-in API {api}, but this seqpipe has {API_VERSION}: upgrade seqpipe"


def no_hook(undecorated: Iterable[str]) -> str:
    """Return why a plug-in without hooks offers nothing; ``undecorated`` are its functions with the name of a hook."""
    forgotten = sorted(undecorated)
    if forgotten:
        return f"offers nothing: {forgotten[0]}() is not decorated with @seqpipe.hookimpl"
    return "offers nothing: it implements no hook, such as seqpipe_cells"


def _path(module: str) -> Path | None:
    """Return the file of a module, None if there is none; no package is imported."""
    top, *rest = module.split(".")
    spec: ModuleSpec | None = importlib.util.find_spec(top)
    name = top
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    if spec is None:
        return None
    return Path(spec.origin or "unknown")


def _offers(tree: ast.Module, *, is_whole: bool) -> SourceOffers:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    decorated = {hook for function in functions if (hook := _implemented(function)) is not None}
    unknown = [hook for hook in sorted(decorated) if hook not in KIND_OF_HOOK and hook.startswith("seqpipe_")]
    if unknown and is_whole:
        return SourceOffers(
            status="failed", reason=f"unknown hook {unknown[0]!r}.{did_you_mean(unknown[0], KIND_OF_HOOK)}".rstrip(".")
        )
    if refused := _refused(tree):
        return SourceOffers(status="skipped", reason=refused)
    kinds = {KIND_OF_HOOK[hook] for hook in decorated if hook in KIND_OF_HOOK}
    names, computed = _names(tree)
    foreign, is_open = _taken_from_elsewhere(tree)
    if is_open or not (is_whole or kinds):
        return SourceOffers({kind: names[kind] for kind in kinds if kind in names}, frozenset(KINDS))
    if not kinds and not foreign:
        undecorated = {function.name for function in functions} & set(KIND_OF_HOOK)
        return SourceOffers(status="empty", reason=no_hook(undecorated))
    complete = {kind for kind in kinds if kind in names and kind not in computed}
    return SourceOffers({kind: names[kind] for kind in kinds if kind in names}, frozenset((kinds - complete) | foreign))


def _implemented(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str | None:
    """Return the hook that a function implements."""
    for decorator in function.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        renamed = [_text(keyword.value) for keyword in call.keywords if keyword.arg == "specname"] if call else []
        if renamed:
            return renamed[0]
        if _last_name(call.func if call else decorator) == _MARKER or function.name in KIND_OF_HOOK:
            return function.name
    return None


def _names(tree: ast.Module) -> tuple[dict[str, tuple[Offer, ...]], set[str]]:
    """Return the names in records by kind, and the kinds of records whose name is computed."""
    names: dict[str, tuple[Offer, ...]] = {}
    computed = set()
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or (kind := KIND_OF_SPEC.get(_last_name(call.func))) is None:
            continue
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        name = _text(call.args[0] if call.args else given.get("name"))
        if name is None:
            computed.add(kind)
        else:
            summary = _text(call.args[2] if len(call.args) > 2 else given.get("summary")) or ""
            names[kind] = (*names.get(kind, ()), Offer(name, summary))
    return names, computed


def _taken_from_elsewhere(tree: ast.Module) -> tuple[set[str], bool]:
    """Return the kinds of hooks that are imported or assigned, and whether anything may be."""
    kinds, is_open = set(), False
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            bound: Iterator[str] = (alias.asname or alias.name for alias in node.names)
            foreign = (node.module or "").split(".")[0] != "seqpipe"
            is_open = is_open or (foreign and any(alias.name == "*" for alias in node.names))
        elif isinstance(node, ast.Assign):
            bound = (_last_name(target) for target in node.targets)
        else:
            continue
        kinds |= {KIND_OF_HOOK[name] for name in bound if name in KIND_OF_HOOK}
    return kinds, is_open


def _refused(tree: ast.Module) -> str:
    """Return why the version of the API that the module declares cannot be used, or nothing."""
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign) and "SEQPIPE_API" in map(_last_name, node.targets) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, int):
            return api_refusal(value.value)
    return ""


def _last_name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
