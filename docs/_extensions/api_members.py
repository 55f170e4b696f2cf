"""Which members the API reference shows: each public name once, and nothing that scikit-learn or PyTorch documents."""

from __future__ import annotations

import re
from typing import Any

import seqpipe

__all__ = ["setup"]

_GENERATED = re.compile(r"set_\w+_request")
_DOCUMENTED_ELSEWHERE = ("sklearn.", "skorch.", "torch.")


def setup(app: Any) -> dict[str, bool]:
    """Connect to autodoc."""
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True}


def _skip(app: Any, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Return True for what is left out, and None where autodoc is to decide."""
    home = str(getattr(member, "__module__", "") or "")
    if what == "module":
        page = app.env.docname.removeprefix("api/")
        on_its_own_page = name in seqpipe.__all__ and getattr(seqpipe, name) is member
        return True if on_its_own_page or (home.startswith("seqpipe") and not home.startswith(page)) else None
    return True if _GENERATED.fullmatch(name) or home.startswith(_DOCUMENTED_ELSEWHERE) else None
