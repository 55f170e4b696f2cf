"""Order the examples of the gallery, and keep the figures that seqpipe's plots return."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from weakref import WeakSet

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst
from sphinx_gallery.sorting import FileNameSortKey

__all__ = ["StatedOrder", "last_figure"]

#: sphinx-gallery keeps the last value of a script: a block that ends with none would show the figure before it once more.
_shown: WeakSet[Figure] = WeakSet()


def last_figure(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Show the figure that a block ends with, as a notebook does; it belongs to no window that could be asked."""
    figure = block_vars["example_globals"].get("___")
    if not isinstance(figure, Figure) or figure in _shown:
        return ""
    _shown.add(figure)
    path = next(block_vars["image_path_iterator"])
    figure.savefig(path, dpi=100)
    return figure_rst([path], gallery_conf["src_dir"])


class StatedOrder(FileNameSortKey):
    """The order in which the header of the folder names its files; the others follow by name."""

    def __call__(self, filename: str) -> tuple[int, str]:
        """Return the place of one file."""
        header = (Path(self.src_dir) / "GALLERY_HEADER.rst").read_text(encoding="utf-8")
        stated = re.findall(r"^\.\. order: (.*)$", header, flags=re.MULTILINE)
        names = " ".join(stated).split()
        return (names.index(filename[:-3]) if filename[:-3] in names else len(names), filename)
