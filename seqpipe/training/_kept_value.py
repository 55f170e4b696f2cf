"""A value that is kept in the folder of checkpoints, so that all processes that continue them share it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

__all__ = ["kept_value"]


def kept_value(folder: Path, name: str, make: Callable[[], Any]) -> Any:
    """Return the value in ``<name>.json`` of a folder; if there is none, that of ``make``, which is then kept.

    Raises
    ------
    OSError
        If the folder cannot be written.
    ValueError, KeyError, TypeError
        If the file is damaged.
    """
    path = folder / f"{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            part = path.with_suffix(".part")
            part.write_text(json.dumps({name: make()}))
            part.replace(path)
        return json.loads(path.read_text())[name]
