"""The reference of hooks: writes docs/hooks.md out of their docstrings; a hook without an example fails the build."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from seqpipe import hookspecs
from seqpipe.plugins import KINDS, Kind

__all__ = ["entry", "page", "setup"]

_HEAD = """# Hooks

<!-- made by docs/_extensions/hook_reference.py -->

A plug-in implements one hook or several: functions without arguments, decorated with `seqpipe.hookimpl`, that return
records. The name of a
record consists of lower case letters, digits and underscores; its summary is what `seqpipe plugins` shows. `seqpipe
plugins list --hooks` shows who
implements each hook.
[Plug-ins](plugins.md) says how they are packaged, loaded and checked.
"""


def page() -> str:
    """Return the page, in Markdown."""
    return "\n".join([_HEAD, *(entry(kind) for kind in KINDS.values())])


def entry(kind: Kind) -> str:
    """Return the section of a hook: its signature, its docstring, its record and the example.

    Raises
    ------
    ValueError
        If its docstring has no example.
    """
    hook = getattr(hookspecs, kind.hook)
    text, found, example = (inspect.getdoc(hook) or "").partition("\nExamples\n--------\n")
    if not found:
        raise ValueError(f"The docstring of the hook {kind.hook} has no example.")
    signature = str(inspect.signature(hook)).replace("'", "")
    record, _, parameters = (inspect.getdoc(kind.spec) or "").partition("\nParameters\n----------\n")
    record = record.partition("\nRaises\n")[0]
    own = f"\n{_parameters(parameters)}\n" if parameters else ""
    return f"""## `{kind.hook}`

`{kind.hook}{signature}`

{_markdown(text)}

`{_call(kind)}`: {_markdown(record)}
{own}
```python
import seqpipe
{_code(example)}
```
"""


def _call(kind: Kind) -> str:
    """Return the record's signature without types."""
    parameters = inspect.signature(kind.spec).parameters.values()
    shown = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters]
    return f"{kind.spec.__name__}({', '.join(shown)})".replace("'", '"')


def _parameters(section: str) -> str:
    """Return a list of the parameters in a numpydoc section, without the sections that follow."""
    lines = section.partition("\nRaises\n")[0].strip().splitlines()
    items: list[str] = []
    for line in lines:
        if line.startswith(" "):
            items[-1] += f" {line.strip()}"
        elif line:
            name, _, kind = line.partition(" : ")
            items.append(f"- `{name}` ({kind}):")
    return _markdown("\n".join(items))


def _markdown(text: str) -> str:
    return text.strip().replace("``", "`")


def _code(example: str) -> str:
    """Return the lines of a doctest as they stand in a module, with blank lines between definitions."""
    lines: list[str] = []
    for line in (line[4:] for line in example.splitlines()):
        before = lines[-1] if lines else ""
        if line.startswith(("class ", "def ", "@")) and not before.startswith("@"):
            lines += ["", ""]
        elif line.startswith("    def ") and not before.startswith("class "):
            lines.append("")
        lines.append(line)
    return "\n".join(lines).replace("@hookimpl", "@seqpipe.hookimpl")


def setup(app: Any) -> dict[str, bool]:
    """Write the page before Sphinx reads the documents."""
    app.connect("builder-inited", lambda app: Path(app.srcdir, "hooks.md").write_text(page(), encoding="utf-8"))
    return {"parallel_read_safe": True}
