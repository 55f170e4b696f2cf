"""How the groups of an estimator's parameters are shown: numpydoc takes a heading ``**Network**`` for a parameter."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["setup"]

_AFTER_NUMPYDOC = 600
#: What numpydoc makes of a heading: a name in bold with its asterisks, and a comment in place of a description.
_HEADING = re.compile(r"^( +)\*\*\\\*\\\*(\w[\w ]*)\*{4}\n *\.\.$", flags=re.MULTILINE)


def setup(app: Any) -> dict[str, bool]:
    """Connect to autodoc, behind numpydoc."""
    app.connect("autodoc-process-docstring", _show_headings, priority=_AFTER_NUMPYDOC)
    return {"parallel_read_safe": True}


def _show_headings(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Turn each parameter that is a heading into a heading."""
    lines[:] = _HEADING.sub(r"\1.. rubric:: \2\n", "\n".join(lines)).split("\n")
