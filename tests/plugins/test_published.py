"""The distributions under plugins/: what the error about an absent name says, and what the catalogue lists."""

import sys
import tomllib
from pathlib import Path

import pytest

from seqpipe.exceptions import UnknownNameError
from seqpipe.plugins import PluginHost
from seqpipe.plugins._published import PUBLISHED
from seqpipe.plugins._source import read_source

PLUGINS = Path(__file__).parents[2] / "plugins"
FOLDERS = sorted(PLUGINS.glob("seqpipe-*"))
CATALOGUE = tomllib.loads((PLUGINS / "catalogue.toml").read_text(encoding="utf-8"))["plugin"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_names_of_a_distribution_of_the_project_are_known(folder, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(folder / "src"), *sys.path])
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (module,) = project["entry-points"]["seqpipe"].values()
    source = read_source(module)
    assert not source.open_kinds
    names = {kind: tuple(sorted(offer.name for offer in offers)) for kind, offers in sorted(source.names.items())}
    assert PUBLISHED[project["name"]] == names
    assert all(offer.summary for offers in source.names.values() for offer in offers)


def test_nothing_else_is_known():
    assert sorted(PUBLISHED) == [folder.name for folder in FOLDERS]


def test_the_catalogue_has_every_distribution_of_the_project():
    listed = {plugin["name"]: plugin for plugin in CATALOGUE}
    assert {name for name, plugin in listed.items() if "path" in plugin} == {folder.name for folder in FOLDERS}
    assert all(plugin["summary"] for plugin in CATALOGUE)


def test_an_absent_name_is_told_with_the_distribution_to_install():
    with pytest.raises(
        UnknownNameError, match="'mgu', which comes with the distribution 'seqpipe-classic'. Install it, or"
    ):
        PluginHost([]).find("cell", "mgu", parameter="The cell")
