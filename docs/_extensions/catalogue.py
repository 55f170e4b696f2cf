"""The catalogue: writes docs/catalogue.md out of plugins/catalogue.toml and the last results of the tests."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

__all__ = ["page", "setup"]

PLUGINS = Path(__file__).parents[2] / "plugins"
_HEAD = """# Catalogue of plug-ins

<!-- made by docs/_extensions/catalogue.py -->

Plug-ins whose own tests are run against every release of seqpipe, with the last result per version: `make
downstream`. To have yours tested, add it to
`plugins/catalogue.toml`.
"""


def page() -> str:
    """Return the page, in Markdown."""
    catalogue = tomllib.loads((PLUGINS / "catalogue.toml").read_text(encoding="utf-8"))["plugin"]
    results = json.loads((PLUGINS / "results.json").read_text(encoding="utf-8"))
    releases = sorted({result["seqpipe"] for result in results}, reverse=True)
    rows = [
        ["plug-in", "what it offers", *(f"with seqpipe {release}" for release in releases)],
        ["---"] * (2 + len(releases)),
        *([f"`{p['name']}`", p["summary"], *(_result(results, p["name"], r) for r in releases)] for p in catalogue),
    ]
    return "\n".join([_HEAD, *(f"| {' | '.join(row)} |" for row in rows), ""])


def _result(results: list[dict[str, Any]], name: str, release: str) -> str:
    found = next((r for r in results if (r["plugin"], r["seqpipe"]) == (name, release)), None)
    if found is None:
        return "not run"
    outcome = f"{found['failed']} failed, " if found["failed"] else ""
    with_what = f"Python {found['python']}, torch {found['torch']}, {found['date']}"
    return f"{found['version']}: {outcome}{found['passed']} passed ({with_what})"


def setup(app: Any) -> dict[str, bool]:
    """Write the page before Sphinx reads the documents."""
    app.connect("builder-inited", lambda app: Path(app.srcdir, "catalogue.md").write_text(page(), encoding="utf-8"))
    return {"parallel_read_safe": True}
