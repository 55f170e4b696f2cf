"""The documentation names everything that a user can take hold of."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator
from typer.main import get_command

import seqpipe
from seqpipe import exceptions
from seqpipe.cli import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def listed() -> set[str]:
    """Return the names that the API reference gives a page of their own."""
    names = re.findall(r"^   (\w[\w.]*)$", page("api") + page("api-packages"), flags=re.MULTILINE)
    return {name.removeprefix("seqpipe.") for name in names}


@pytest.mark.parametrize("name", seqpipe.__all__)
def test_every_public_name_has_its_page_in_the_reference(name: str) -> None:
    assert name in listed()


def test_every_public_module_has_its_page_in_the_reference() -> None:
    modules = {module.name for module in pkgutil.iter_modules(seqpipe.__path__) if not module.name.startswith("_")}
    assert modules - {"builtins", "cli"} <= listed()
    for module in modules:
        importlib.import_module(f"seqpipe.{module}")


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in seqpipe.__all__
        if inspect.isclass(getattr(seqpipe, name)) and issubclass(getattr(seqpipe, name), BaseEstimator)
    ],
)
def test_every_estimator_and_transformer_is_in_the_guide(name: str) -> None:
    assert f"`{name}`" in page("estimators") + page("texts")


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "pipelines").glob("*.yaml")))
def test_every_recipe_has_a_row(name: str) -> None:
    assert f"\n| `{name}` |" in page("recipes")


@pytest.mark.parametrize("name", sorted(get_command(app).commands))
def test_every_command_is_shown_and_explained(name: str) -> None:
    assert f"\nseqpipe {name}" in page("command-line")
    assert f"\n| `{name}` |" in page("command-line")


@pytest.mark.parametrize("name", sorted(path.stem for path in DOCS.glob("*.md")))
def test_every_page_can_be_reached_from_the_contents(name: str) -> None:
    entries = "".join(
        re.findall(r"```\{toctree\}\n(.*?)```", "".join(map(page, ("index", "guide", "api", "developer"))), re.DOTALL)
    )
    header = (DOCS / "examples" / "tutorials" / "GALLERY_HEADER.rst").read_text(encoding="utf-8")
    assert name == "index" or re.search(rf"^(   /)?{name}$", entries + header, flags=re.MULTILINE)


@pytest.mark.parametrize("kind", ["tutorials", "gallery"])
def test_every_example_has_its_place_in_the_order(kind: str) -> None:
    folder = DOCS / "examples" / kind
    header = (folder / "GALLERY_HEADER.rst").read_text(encoding="utf-8")
    stated = " ".join(re.findall(r"^\.\. order: (.*)$", header, flags=re.MULTILINE)).split()
    assert sorted(stated) == sorted(path.stem for path in folder.glob("*.py"))


def test_every_error_names_a_page_that_is_there() -> None:
    errors = [getattr(exceptions, name) for name in exceptions.__all__]
    pages = {error.page for error in errors if inspect.isclass(error) and issubclass(error, exceptions.SeqpipeError)}
    assert all((ROOT / page).is_file() for page in pages)


def test_the_help_of_the_command_names_pages_that_are_there() -> None:
    named = re.findall(r"docs/[\w-]+\.md", str(app.info.epilog))
    assert len(named) == 3
    assert all((ROOT / page).is_file() for page in named)
