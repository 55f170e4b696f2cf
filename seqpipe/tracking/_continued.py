"""The key of the runs of a fit that may be interrupted, in the folder of its checkpoints."""

from __future__ import annotations

import os
import re
from pathlib import Path
from uuid import uuid4

from seqpipe.exceptions import TrackingError

__all__ = ["kept_key"]

_KEY = re.compile(r"[0-9a-f]{32}")


def kept_key(folder: str | os.PathLike[str]) -> str:
    """Return the key in a folder, a new one if it has none.

    Raises
    ------
    TrackingError
        If the folder cannot be written, or its file is damaged.
    """
    from seqpipe.training import kept_value  # imported on use: the tracker is imported without torch

    path = Path(folder).expanduser()
    try:
        key = str(kept_value(path, "runs", lambda: uuid4().hex))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrackingError(
            f"The folder {str(path)!r}, whose runs are to be continued, cannot be used: {error}. Choose another one."
        ) from error
    if not _KEY.fullmatch(key):
        raise TrackingError(f"The file {str(path / 'runs.json')!r} is damaged. Delete it to record new runs.")
    return key
