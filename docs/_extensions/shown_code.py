"""How code is coloured that Pygments has no name for."""

from __future__ import annotations

from typing import Any

from pygments.lexers import PythonLexer

__all__ = ["setup"]


def setup(app: Any) -> dict[str, bool]:
    """Show Triton's kernels as the Python that they are written in."""
    app.add_lexer("triton", PythonLexer)
    return {"parallel_read_safe": True}
