"""Whether another user could have changed a file: owner, mode and links of every component of its path."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Distrust", "distrust_of_file", "distrust_of_folder", "distrust_of_place"]

#: As many links as Linux follows.
_MOST_LINKS = 40


@dataclass(frozen=True)
class Distrust:
    """A component of a path that another user controls.

    Attributes
    ----------
    component : Path
        The folder, file or link.
    reason : str
        Who controls it, as a clause about "it".
    remedy : str
        A command that corrects it, or what to do.
    """

    component: Path
    reason: str
    remedy: str


def distrust_of_place(path: Path) -> Distrust | None:
    """Return the first component of a folder's path that another user could replace; None if there is none.

    Folders must belong to this user or to root and others must not write to them, unless they are sticky, as /tmp is:
    there, only the owner of an entry can replace it. Links must belong to this user or to root; the components of their
    targets are checked too.

    Raises
    ------
    OSError
        If a component does not exist, or there are too many links.
    """
    if os.name != "posix":
        return None
    here, rest, links = Path(path.anchor), deque(path.absolute().parts[1:]), 0
    found = _of_parent(here, here.lstat())
    while rest and found is None:
        here = _entered(here, rest.popleft())
        status = here.lstat()
        if not stat.S_ISLNK(status.st_mode):
            found = _of_parent(here, status)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        found = _of_owner(here, status, "link")
        target = Path(os.readlink(here))
        here = Path(target.anchor) if target.is_absolute() else here.parent
        rest.extendleft(reversed(target.parts[1:] if target.is_absolute() else target.parts))
    return found


def distrust_of_folder(path: Path) -> Distrust | None:
    """Return what `distrust_of_place` does, or the folder itself if anyone but this user can write to it."""
    return distrust_of_place(path) or _of_own(path, path.stat())


def distrust_of_file(path: Path) -> Distrust | None:
    """Return the file itself if it is a link or no regular file, or anyone but this user can write to it."""
    if os.name != "posix":
        return None
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        return Distrust(path, "it is a link, or not a regular file", f'remove it, as with "rm {path}"')
    return _of_own(path, status)


def _entered(folder: Path, name: str) -> Path:
    return folder.parent if name == ".." else folder / name


def _of_own(path: Path, status: os.stat_result) -> Distrust | None:
    """Return distrust in what only this user may own and write to."""
    if os.name != "posix":
        return None
    if status.st_uid != os.geteuid():
        return Distrust(path, f"it belongs to user {status.st_uid}", "remove it")
    return _of_mode(path, status, status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _of_parent(path: Path, status: os.stat_result) -> Distrust | None:
    """Return distrust in a folder on the way, in which only this user and root may replace entries."""
    found = _of_owner(path, status, "folder")
    if found is not None or status.st_mode & stat.S_ISVTX:
        return found
    writers = status.st_mode & stat.S_IWOTH
    if not _is_own_group(status.st_gid):
        writers |= status.st_mode & stat.S_IWGRP
    return _of_mode(path, status, writers)


def _of_owner(path: Path, status: os.stat_result, kind: str) -> Distrust | None:
    if status.st_uid in (0, os.geteuid()):
        return None
    return Distrust(path, f"it belongs to user {status.st_uid}", f"use another {kind}")


def _of_mode(path: Path, status: os.stat_result, writers: int) -> Distrust | None:
    if not writers:
        return None
    reason = f"other users can write to it (mode {stat.S_IMODE(status.st_mode):o})"
    return Distrust(path, reason, f'correct it with "chmod go-w {path}"')


def _is_own_group(gid: int) -> bool:
    """Return whether a group has this user as its only member: with umask 002, own folders are writable by it."""
    import grp  # not on Windows
    import pwd

    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except KeyError:  # a container may run under ids without names
        return False
    return gid == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
