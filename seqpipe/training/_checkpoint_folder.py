"""Checkpoints as files: written beside and renamed, verified by a digest, and read without running code."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout

from seqpipe.exceptions import CheckpointError, CheckpointWarning

__all__ = ["CheckpointFolder", "finished_fits", "last_checkpoint"]

#: The first line of a file, before the line of the digest.
_MAGIC = b"seqpipe checkpoint 1\n"
_DIGEST_LENGTH = hashlib.sha256().digest_size * 2
#: Entries of every checkpoint.
_ENTRIES = {"estimator", "settings", "data", "versions", "facts", "states"}
_SUFFIX, _PART = ".checkpoint", ".part"
#: Marks the last checkpoint of a fit that has ended.
_LAST = "-last"


class CheckpointFolder:
    """The checkpoints of one fit, of which this process is the only writer until `close`.

    Parameters
    ----------
    path : path
        The folder; created if it does not exist.
    keep : int
        Number of checkpoints that are kept.
    wait : bool, default=False
        Whether to wait while another fit uses the folder.

    Raises
    ------
    CheckpointError
        If the folder cannot be written, or another fit is writing to it.
    """

    def __init__(self, path: Path, keep: int, *, wait: bool = False) -> None:
        self.path = path
        self._keep = keep
        self._lock = FileLock(path / "lock", timeout=-1 if wait else 0)
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            for part in path.glob(f"*{_PART}"):  # of a process that was killed while it wrote
                part.unlink()
        except Timeout as error:
            raise CheckpointError(
                f"The checkpoint folder {str(path)!r} is in use by another fit. Each fit needs a folder of its own: in "
                "cross-validation and searches, use seqpipe.resumable instead of the 'checkpoint' parameter."
            ) from error
        except OSError as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        """Let other fits use the folder."""
        self._lock.release()

    def newest(self) -> dict[str, Any] | None:
        """Return the newest checkpoint that is not damaged, or None if there is none.

        Warns
        -----
        CheckpointWarning
            If a newer one is damaged.

        Raises
        ------
        CheckpointError
            If all are damaged.
        """
        found = self._files()
        for path in reversed(found):
            try:
                return _read(path)
            except (OSError, CheckpointError) as error:
                warnings.warn(
                    f"The checkpoint {str(path)!r} is damaged ({error}). The one before it is used.",
                    CheckpointWarning,
                    stacklevel=2,
                )
        if found:
            raise CheckpointError(f"No checkpoint in {str(self.path)!r} can be read. Delete the folder to start again.")
        return None

    def write(self, state: Mapping[str, Any], *, last: bool = False) -> None:
        """Write a checkpoint, and delete old ones; all of them if this is the last one, of a fit that has ended.

        Raises
        ------
        CheckpointError
            If it cannot be written, such as on a full disk, or if the state holds other objects than tensors, numbers,
            strings, and lists and dicts of these; the previous checkpoint is kept.
        """
        data = _encoded(_portable(state, "state"))
        files = self._files()
        number = _number(files[-1]) + 1 if files else 0
        part = self.path / f"{number:08d}{_PART}"
        try:
            with part.open("wb") as file:
                file.writelines(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path / f"{number:08d}{_LAST if last else ''}{_SUFFIX}")
            _sync_folder(self.path)
            for old in files if last else files[: len(files) + 1 - self._keep]:
                old.unlink(missing_ok=True)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise self._unwritable(error) from error

    def clear(self) -> None:
        """Delete all checkpoints."""
        for path in self._files():
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted((path for path in self.path.glob(f"*{_SUFFIX}")), key=_number)

    def _unwritable(self, error: OSError) -> CheckpointError:
        return CheckpointError(
            f"No checkpoint can be written to {str(self.path)!r}: {error.strerror or error}. Free space, or choose another "
            "folder."
        )


def finished_fits(folder: Path) -> int:
    """Return the number of ended fits in the folder of many fits."""
    return sum(1 for _ in folder.glob(f"*/*{_LAST}{_SUFFIX}"))


def last_checkpoint(path: Path) -> dict[str, Any] | None:
    """Return the checkpoint of a fit that has ended, None if there is none in the folder or it cannot be read."""
    for file in path.glob(f"*{_LAST}{_SUFFIX}"):
        try:
            return _read(file)
        except (OSError, CheckpointError):
            return None
    return None


def _number(path: Path) -> int:
    return int(path.name.partition(_SUFFIX)[0].removesuffix(_LAST))


def _encoded(state: Any) -> list[bytes | memoryview]:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getbuffer()
    return [_MAGIC, hashlib.sha256(payload).hexdigest().encode(), b"\n", payload]


def _read(path: Path) -> dict[str, Any]:
    """Return the state in a file; loading with ``weights_only`` runs no code."""
    data = path.read_bytes()
    start = len(_MAGIC) + _DIGEST_LENGTH + 1
    digest, payload = data[len(_MAGIC) : start - 1], memoryview(data)[start:]
    if not data.startswith(_MAGIC) or hashlib.sha256(payload).hexdigest().encode() != digest:
        raise CheckpointError("it is not complete, or its bytes have changed")
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except Exception as error:  # a forged file may fail in any way
        raise CheckpointError(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error
    if not isinstance(state, dict) or not state.keys() >= _ENTRIES:
        raise CheckpointError("it is not the state of a fit")
    return state


def _portable(value: Any, where: str) -> Any:
    """Return a state of tensors, numbers, strings, lists, tuples and dicts; numbers of numpy become Python's."""
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | bool | int | float | complex):
        return value
    if isinstance(value, Counter):
        return value
    if isinstance(value, Mapping):
        return {key: _portable(each, f"{where}[{key!r}]") for key, each in value.items()}
    if isinstance(value, list | tuple):
        items = [_portable(each, f"{where}[{i}]") for i, each in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    raise CheckpointError(
        f"{where} is a {type(value).__name__}, which a checkpoint cannot hold. Let state_dict() return tensors, numbers, "
        "strings, and lists and dicts of these."
    )


def _sync_folder(path: Path) -> None:
    """Make a renamed file durable, where folders can be opened."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
