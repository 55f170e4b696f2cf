"""Tags that identify the process that writes a run, and whether it still runs."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache

import psutil

__all__ = ["BEAT", "BEAT_SECONDS", "SILENT_SECONDS", "is_alive", "is_here", "process_of", "process_tags"]

_HOST, _PID, _STARTED, _NAMESPACE = "seqpipe.host", "seqpipe.pid", "seqpipe.process_start", "seqpipe.pid_namespace"
#: Tag with the last sign of life, in milliseconds since 1970.
BEAT = "seqpipe.heartbeat"
#: Seconds between two signs of life, and without one until a process of another host counts as ended.
BEAT_SECONDS, SILENT_SECONDS = 60.0, 900.0
#: Seconds by which two readings of the start time of a process may differ.
_TOLERANCE = 2.0


def process_tags() -> dict[str, str]:
    """Return tags that identify this process."""
    return _tags_of(os.getpid())


@cache
def _tags_of(pid: int) -> dict[str, str]:
    started = repr(psutil.Process(pid).create_time())
    return {_HOST: socket.gethostname(), _PID: str(pid), _STARTED: started, _NAMESPACE: _namespace()}


def _namespace() -> str:
    """Return where process ids are unique: containers may share the name of a host, and a host may have booted again."""
    found = []
    with suppress(OSError):
        found.append(os.readlink("/proc/self/ns/pid"))
        with open("/proc/sys/kernel/random/boot_id") as file:
            found.append(file.read().strip())
    return " ".join(found)


def process_of(tags: Mapping[str, str]) -> str:
    """Return the process with these tags in words."""
    return f"process {tags.get(_PID, 'unknown')} on {tags.get(_HOST, 'an unknown host')}"


def is_here(tags: Mapping[str, str]) -> bool:
    """Return whether the process with these tags can be looked up by its id."""
    own = process_tags()
    return tags.get(_HOST) == own[_HOST] and tags.get(_NAMESPACE, own[_NAMESPACE]) == own[_NAMESPACE]


def is_alive(tags: Mapping[str, str]) -> bool:
    """Return whether the process with these tags may still run; one of another host does if it was heard of lately."""
    if is_here(tags):
        return _runs(tags)
    beat = tags.get(BEAT, "")
    return not beat.isdecimal() or time.time() - int(beat) / 1000 < SILENT_SECONDS


def _runs(tags: Mapping[str, str]) -> bool:
    try:
        process = psutil.Process(int(tags[_PID]))
        same = abs(process.create_time() - float(tags[_STARTED])) < _TOLERANCE
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
