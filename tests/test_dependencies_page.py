"""docs/dependencies.md: every private or experimental interface of a dependency that seqpipe uses is listed, and is there."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
LIBRARIES = ("mlflow", "sklearn", "skorch", "torch")
ROWS = re.findall(r"^\| (`.+?) \| (`.+?) \| (.+) \|$", PAGE, flags=re.MULTILINE)
LISTED = {name: place for names, place, _ in ROWS for name in re.findall(r"`([\w.]+)`", names)}


def is_private(name: str) -> bool:
    return any(part.startswith("_") and not part.startswith("__") for part in name.split("."))


def bindings(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names that a module gives to what it imports from the libraries, and what they stand for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found = [(each.asname or each.name, f"{node.module}.{each.name}") for each in node.names]
        elif isinstance(node, ast.Import):
            found = [(each.asname or each.name.split(".")[0], each.name) for each in node.names]
        else:
            continue
        yield from ((name, full) for name, full in found if full.split(".")[0] in LIBRARIES)


def used(tree: ast.AST) -> Iterator[str]:
    """Yield the private interfaces of the libraries that a module names."""
    names = dict(bindings(tree))
    yield from filter(is_private, names.values())
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        name, _, path = ast.unparse(node).partition(".")
        full = f"{names.get(name, '')}.{path}"
        if name in names and re.fullmatch(r"[\w.]+", path) and is_private(full):
            yield full


PLACES: dict[str, set[str]] = {}
for module in (ROOT / "seqpipe").rglob("*.py"):
    place = module.relative_to(ROOT / "seqpipe").parts[0].removesuffix(".py")
    for interface in used(ast.parse(module.read_text(encoding="utf-8"))):
        PLACES.setdefault(interface, set()).add(place)


@pytest.mark.parametrize("interface", sorted(PLACES))
def test_every_private_interface_that_is_used_is_listed_with_its_places(interface: str) -> None:
    listed = [
        name for name in LISTED if f"{name}.".startswith(f"{interface}.") or f"{interface}.".startswith(f"{name}.")
    ]
    assert listed, f"{interface} is not in docs/dependencies.md"
    assert all(f"`{place}`" in LISTED[listed[0]] for place in PLACES[interface])


def resolved(name: str) -> Any:
    """Return what a dotted name stands for."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(name)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("interface", sorted(LISTED))
def test_every_interface_that_is_listed_is_there(interface: str) -> None:
    if interface.startswith("sklearn.callback"):
        pytest.importorskip("sklearn.callback", reason="it is new in scikit-learn 1.9")
    assert resolved(interface) is not None
