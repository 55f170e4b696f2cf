"""The folder of a model: that it holds plain files only, and what its description says."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from seqpipe.bundle import read_regular_file
from seqpipe.exceptions import BundleError, TrackingError
from seqpipe.saved import TextOf

__all__ = ["check_folder", "read_description"]

_DESCRIPTION = "MLmodel"
_MOST_BYTES = 2**20
_MOST_FILES = 10_000
_DEEPEST, _MOST_ALIASES = 50, 100
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FIELDS = {"serialization_format": TextOf(), "pickled_model": TextOf(pattern=r"[\w-][\w.-]*", most=200)}


def check_folder(folder: Path, model: str) -> None:
    """Check that a folder and those in it contain files only.

    Raises
    ------
    TrackingError
        If there is a link, pipe or device, which could be endless or outside the folder, or too many files.
    """
    for n, entry in enumerate(_entries(folder)):
        mode = entry.stat(follow_symlinks=False).st_mode
        if n >= _MOST_FILES or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            what = (
                f"more than {_MOST_FILES:,} files" if n >= _MOST_FILES else f"{entry.name!r}, which is a {_kind(mode)}"
            )
            raise TrackingError(
                f"The model {model!r} is not read: its folder contains {what}. A model consists of a few plain files: replace "
                "links by the files, or get the model from a source that you trust."
            )


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    waiting = [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def _kind(mode: int) -> str:
    return "link" if stat.S_ISLNK(mode) else "pipe" if stat.S_ISFIFO(mode) else "device or socket"


def read_description(folder: Path, model: str) -> dict[str, Any]:
    """Return the contents of the file MLmodel, with the flavor "sklearn" complete.

    Raises
    ------
    TrackingError
        If it is missing, too large, not plain YAML, or lacks a field; the message names it.
    """
    check_folder(folder, model)
    try:
        text = read_regular_file(folder / _DESCRIPTION, owner=f"The model {model!r}", most=_MOST_BYTES).decode()
        _check_events(text)
        return _checked(yaml.load(text, _LOADER))
    except (BundleError, OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise TrackingError(
            f"The model {model!r} cannot be read, because of its file {_DESCRIPTION!r} ({type(error).__name__}: {reason:.1000}). "
            "It is damaged, or was not logged by MLflowTracker: log or download it again."
        ) from error


def _check_events(text: str) -> None:
    """Check a text before objects are created from it: neither tags nor deep nesting, and few aliases, none inside another."""
    depth, aliases, shared = 0, 0, 0
    for event in yaml.parse(text, _LOADER):
        if isinstance(event, yaml.AliasEvent):
            aliases += 1
            if aliases > _MOST_ALIASES or shared:
                raise ValueError(
                    f"line {event.start_mark.line + 1}: it has more than {_MOST_ALIASES} aliases, or nested ones."
                )
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            shared = shared or (depth if event.anchor else 0)
        elif isinstance(event, yaml.CollectionEndEvent):
            shared = 0 if shared == depth else shared
            depth -= 1
        if getattr(event, "tag", None) is not None or depth > _DEEPEST:
            raise ValueError(f"line {event.start_mark.line + 1}: it has a tag, or more than {_DEEPEST} levels.")


def _checked(found: Any) -> dict[str, Any]:
    flavor = found
    for name in ("flavors", "sklearn"):
        flavor = flavor.get(name) if isinstance(flavor, dict) else None
    if not isinstance(flavor, dict):
        raise ValueError("it must describe a model of scikit-learn, under 'flavors: sklearn:'.")
    for name, schema in _FIELDS.items():
        schema.check(flavor.get(name), repr(name))
    if not isinstance(found.get("metadata"), dict | None):
        raise ValueError(f"'metadata' must consist of fields with values. Got {found['metadata']!r:.60} instead.")
    return dict(found)
