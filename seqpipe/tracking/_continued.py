"""The key of the runs of a fit that may be interrupted, in the folder of its checkpoints."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from uuid import uuid4

from filelock import FileLock

from seqpipe.exceptions import TrackingError

__all__ = ["kept_key"]

_FILE = "runs.json"
_KEY = re.compile(r"[0-9a-f]{32}")


def kept_key(folder: str | os.PathLike[str]) -> str:
    """Return the key in a folder, a new one if it has none.

    Raises
    ------
    TrackingError
        If the folder cannot be written, or its file is damaged.
    """
    path = Path(folder).expanduser() / _FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                part = path.with_suffix(".part")
                part.write_text(json.dumps({"key": uuid4().hex}))
                part.replace(path)
            key = str(json.loads(path.read_text())["key"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrackingError(
            f"The folder {str(path.parent)!r}, whose runs are to be continued, cannot be used: {error}. Choose another one."
        ) from error
    if not _KEY.fullmatch(key):
        raise TrackingError(f"The file {str(path)!r} is damaged. Delete it to record new runs.")
    return key
