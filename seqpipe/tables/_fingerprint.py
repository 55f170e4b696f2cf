"""The fingerprint of a data set: a file beside it, PATH.fingerprint, with the digest of each file, checked on reading."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._parquet import files_of_folder

__all__ = ["check_fingerprint", "check_regular", "write_fingerprint"]

_SUFFIX = ".fingerprint"
_FORMAT = 1
_KEYS = {"format", "sha256", "size"}, {"format", "files"}
_READ_AND_WRITE = 0o666
#: Bytes that a fingerprint may have: those of a folder with some hundred thousand files.
_MOST_BYTES = 2**26


@dataclass(frozen=True)
class _Digest:
    """The content of a file."""

    sha256: str
    size: int

    @classmethod
    def of(cls, path: Path) -> _Digest:
        with path.open("rb") as file:
            return cls(hashlib.file_digest(file, "sha256").hexdigest(), file.tell())

    def as_dict(self) -> dict[str, Any]:
        return {"sha256": self.sha256, "size": self.size}


def write_fingerprint(path: str | Path) -> Path:
    """Write the fingerprint of a file, or of the Parquet files in a folder, to PATH.fingerprint and return that path.

    Reading the data then verifies that each byte is as it was. A fingerprint detects damage and changes; it does not
    authenticate: whoever can change the data and the fingerprint can change both.

    Raises
    ------
    InvalidSequencesError
        If there is no such file, it is not a regular one, or it cannot be read or written.
    """
    path = Path(path)
    target = _beside(path)
    try:
        check_regular(path)
        if path.is_dir():
            files = {file.relative_to(path).as_posix(): _Digest.of(file).as_dict() for file in files_of_folder(path)}
            content: dict[str, Any] = {"format": _FORMAT, "files": files}
        else:
            content = {"format": _FORMAT, **_Digest.of(path).as_dict()}
        _write(target, json.dumps(content, indent=1) + "\n", path.stat().st_mode & _READ_AND_WRITE)
    except OSError as error:
        raise InvalidSequencesError(f"{path}: the fingerprint cannot be written: {error}.") from error
    return target


def check_fingerprint(path: Path) -> None:
    """Compare a file, or the Parquet files in a folder, with the fingerprints beside them, if there are any.

    Raises
    ------
    InvalidSequencesError
        If they differ, or the fingerprint is damaged; the message names the file and the remedy.
    """
    beside = _beside(path)
    if os.path.lexists(beside):
        expected = _read(beside)
        if path.is_dir():
            _check_folder(path, beside, expected)
        else:
            _check(path, beside, _digest_in(expected, beside))
    if path.is_dir():
        for file in files_of_folder(path):
            check_fingerprint(file)


def check_regular(path: Path) -> None:
    """Raise `InvalidSequencesError` for devices, pipes and sockets, which may never end."""
    if not path.exists():
        raise InvalidSequencesError(f"{path}: there is no such file.")
    if not (path.is_file() or path.is_dir()):
        kind = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}.get(stat.S_IFMT(path.stat().st_mode), "a device")
        raise InvalidSequencesError(f"{path}: the path is {kind}, not a file. Copy the data into a file.")


def _write(target: Path, text: str, mode: int) -> None:
    with tempfile.NamedTemporaryFile("w", dir=target.parent, encoding="utf-8", delete=False) as file:
        file.write(text)
    written = Path(file.name)
    written.chmod(mode)
    written.replace(target)


def _beside(path: Path) -> Path:
    whole = path.resolve() if path.name in ("", "..") else path
    return whole.with_name(whole.name + _SUFFIX)


def _read(beside: Path) -> dict[str, Any]:
    try:
        check_regular(beside)
        with beside.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        found = json.loads(content.decode("utf-8")) if len(content) <= _MOST_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, InvalidSequencesError):
            raise
        raise _damaged(beside) from error
    if not isinstance(found, dict) or set(found) not in _KEYS or found["format"] != _FORMAT:
        raise _damaged(beside)
    return found


def _damaged(beside: Path) -> InvalidSequencesError:
    return InvalidSequencesError(
        f"{beside}: the fingerprint is damaged, or of another version. Restore it from a copy, or check the data and "
        f"{_again(beside)}."
    )


def _digest_in(found: Any, beside: Path) -> _Digest:
    digest = found.get("sha256") if isinstance(found, dict) else None
    if not isinstance(digest, str) or not isinstance(found.get("size"), int):
        raise _damaged(beside)
    return _Digest(digest, found["size"])


def _check_folder(path: Path, beside: Path, expected: dict[str, Any]) -> None:
    listed = expected.get("files")
    if not isinstance(listed, dict):
        raise _damaged(beside)
    files = {file.relative_to(path).as_posix(): file for file in files_of_folder(path)}
    for names, what in ((set(files) - set(listed), "is not in"), (set(listed) - set(files), "is missing, but in")):
        if names:
            raise InvalidSequencesError(
                f"{path}: the file {min(names)!r} {what} the fingerprint {beside}. If the folder was changed on purpose, "
                f"{_again(beside)}; else restore it from a copy."
            )
    for name, file in files.items():
        _check(file, beside, _digest_in(listed[name], beside))


def _check(path: Path, beside: Path, expected: _Digest) -> None:
    found = _Digest.of(path)
    if found == expected:
        return
    how = (
        "its content differs"
        if found.size == expected.size
        else f"it has {found.size} bytes instead of {expected.size}"
    )
    raise InvalidSequencesError(
        f"{path}: the file is not the one whose fingerprint is in {beside}: {how}. If it was changed on purpose, "
        f"{_again(beside)}; else restore it from a copy."
    )


def _again(beside: Path) -> str:
    return f'run "seqpipe data fingerprint {str(beside).removesuffix(_SUFFIX)}"'
