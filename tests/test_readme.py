"""README.md names everything that a user can take hold of."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator
from typer.main import get_command

import seqpipe
from seqpipe.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def estimators() -> list[str]:
    offered = {name: getattr(seqpipe, name) for name in seqpipe.__all__}
    return [name for name, offer in offered.items() if inspect.isclass(offer) and issubclass(offer, BaseEstimator)]


@pytest.mark.parametrize("name", estimators())
def test_every_estimator_and_transformer_is_named(name: str) -> None:
    assert f"`{name}`" in README


@pytest.mark.parametrize("name", sorted(path.name for path in ROOT.glob("docs/*.md")))
def test_every_page_is_linked(name: str) -> None:
    assert f"](docs/{name})" in README


@pytest.mark.parametrize("name", sorted(path.stem for path in ROOT.glob("pipelines/*.yaml")))
def test_every_recipe_has_a_row(name: str) -> None:
    for document in (README, (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")):
        assert f"\n| `{name}` |" in document


@pytest.mark.parametrize("name", sorted(get_command(app).commands))
def test_every_command_is_shown(name: str) -> None:
    assert f"\nseqpipe {name}" in README
