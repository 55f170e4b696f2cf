"""Distributions that are installed for the time of a test."""

import sys
import textwrap
from importlib import metadata

import pytest

from seqpipe.plugins import ENTRY_POINT_GROUP, host
from seqpipe.plugins._host import host_for


class Site:
    """A folder of installed distributions that lasts as long as a test."""

    def __init__(self, folder):
        self.folder = folder
        self.modules = []

    def install(self, distribution, source, *, names=("main",), value=None, version="1.2"):
        module = f"throwaway_{distribution.replace('-', '_')}"
        self.modules.append(module)
        (self.folder / f"{module}.py").write_text(textwrap.dedent(source))
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        header = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        (info / "METADATA").write_text(header)
        lines = "".join(f"{name} = {value or module}\n" for name in names)
        (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{lines}")
        return self

    def entry_points(self):
        found = [point for dist in metadata.distributions(path=[str(self.folder)]) for point in dist.entry_points]
        return sorted(found, key=lambda point: (point.dist.name, point.name))


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    site = Site(tmp_path)
    yield site
    for module in site.modules:
        sys.modules.pop(module, None)


@pytest.fixture
def fresh_host():
    """The host of the process, made again for the distributions of the test."""
    host_for.cache_clear()
    yield host
    host_for.cache_clear()
