"""The list of compiled operations: writes docs/operations.md out of the compiler's rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqpipe.recurrence import compiled_operations

__all__ = ["page", "setup"]

_HEAD = """# Compiled operations

<!-- made by docs/_extensions/operations_reference.py -->

The operations of torch that the compiler has rules for, by the names under which they reach it: `x @ W.T` is `mm`,
`nn.Linear` is `addmm`, `x.float()` is `to_copy`.
A step, and `project`, that use only these run as generated code. [The engine](engine.md#operations-that-c-supports)
says what they have to keep to, and
`Recurrent(cell).explain()` names the line of a step that does not. `seqpipe.recurrence.compiled_operations()` returns
this list.
"""


def page() -> str:
    """Return the page, in Markdown."""
    sections = [f"## {kind.capitalize()}\n\n{_listed(names)}\n" for kind, names in compiled_operations().items()]
    return "\n".join([_HEAD, *sections])


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def setup(app: Any) -> dict[str, bool]:
    """Write the page before Sphinx reads the documents."""
    app.connect("builder-inited", lambda app: Path(app.srcdir, "operations.md").write_text(page(), encoding="utf-8"))
    return {"parallel_read_safe": True}
