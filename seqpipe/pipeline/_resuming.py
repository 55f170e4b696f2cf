"""Runs of recipes that continue after an interruption: their checkpoints, kept in the working folder until they succeed."""

from __future__ import annotations

import errno
import hashlib
import json
import re
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from rich.console import Console

from seqpipe.estimators import resumable
from seqpipe.exceptions import CheckpointError, CheckpointWarning
from seqpipe.pipeline._load import LoadedRecipe
from seqpipe.tables import count
from seqpipe.training import finished_fits

__all__ = ["forget_checkpoints", "kept_run", "with_checkpoints"]

#: Folder of the checkpoints of all recipes, in the working folder.
_FOLDER = Path(".seqpipe") / "checkpoints"
#: Days after which the checkpoints of an interrupted run are deleted.
_DAYS = 30
#: Fields of a recipe that do not change its results.
_IRRELEVANT: Any = {"tracking": True, "search": {"jobs", "backend"}, "evaluate": {"epoch_pictures"}}


@contextmanager
def kept_run(loaded: LoadedRecipe, *, fresh: bool, console: Console) -> Iterator[Path | None]:
    """Yield the folder of the checkpoints of a run, which is deleted if the context succeeds; None if it cannot be written."""
    lock = None
    try:
        _refuse_links(_FOLDER.parent, _FOLDER)
        _delete_old()
        folder, lock = _own_folder(loaded)
    except OSError as error:
        warnings.warn(
            f"No checkpoints are written, since {str(_FOLDER)!r} cannot be: {error.strerror}.",
            CheckpointWarning,
            stacklevel=3,
        )
    if lock is None:
        yield None
        return
    try:
        if fresh:
            _empty(folder)
        elif (found := _description(folder)) is not None:
            console.print(f"continuing the run that was interrupted {found}; --fresh starts again", highlight=False)
        yield folder
    except (KeyboardInterrupt, SystemExit) as stop:
        stop.add_note("The same command continues the run")
        raise
    else:
        _empty(folder)
    finally:
        lock.release()
    _remove_if_empty(folder)


def with_checkpoints(estimator: Any, folder: Path | None) -> Any:
    """Return an estimator whose fits write checkpoints, if it has a network of seqpipe."""
    if folder is None:
        return estimator
    try:
        return resumable(estimator, folder)
    except CheckpointError:
        raise
    except ValueError:  # there is none
        return estimator


def forget_checkpoints(estimator: Any) -> None:
    """Let later fits of an estimator write no checkpoints."""
    if hasattr(estimator, "get_params"):  # a plug-in's estimator may have none
        names = [name for name in estimator.get_params() if name.rpartition("__")[2] == "checkpoint"]
        estimator.set_params(**dict.fromkeys(names))


def _own_folder(loaded: LoadedRecipe) -> tuple[Path, FileLock]:
    """Return the folder of the recipe, or another one if that is in use by a run of the same recipe; and its lock."""
    content = loaded.recipe.model_dump(mode="json", exclude=_IRRELEVANT)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
    number = 1
    while True:
        name = re.sub(r"[^\w.-]+", "-", loaded.name)
        folder = _FOLDER / f"{name}-{digest}{'' if number == 1 else f'-{number}'}"
        _refuse_links(folder, folder / "run.lock")
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "run.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            number += 1
        else:
            for path in folder.rglob("*"):
                if path.is_symlink():  # checkpoints are never links
                    path.unlink()
            return folder.absolute(), lock


def _refuse_links(*paths: Path) -> None:
    """Raise `OSError` for a link, behind which files of somebody else would be deleted or written to."""
    for path in paths:
        if path.is_symlink():
            raise OSError(errno.ELOOP, f"{str(path)!r} is a link", str(path))


def _description(folder: Path) -> str | None:
    """Return when the run in a folder was interrupted, and how far it came; None if there is none."""
    files = list(folder.glob("*/*.checkpoint"))
    if not files:
        return None
    at = datetime.fromtimestamp(max(file.stat().st_mtime for file in files)).astimezone()
    return f"{at:%Y-%m-%d %H:%M:%S}: {count(finished_fits(folder), 'fit')} finished"


def _empty(folder: Path) -> None:
    """Delete all but the lock of the run, which is held."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != "run.lock":
            path.unlink(missing_ok=True)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # another run uses it, or a folder above it
        (folder / "run.lock").unlink(missing_ok=True)
        for path in (folder, folder.parent, folder.parent.parent):
            path.rmdir()


def _delete_old() -> None:
    for folder in _FOLDER.glob("*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _DAYS * 86_400:
                shutil.rmtree(folder)
