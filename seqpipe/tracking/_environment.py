"""Describe the environment of a run: machine, code and versions."""

from __future__ import annotations

import getpass
import os
import platform
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

from seqpipe.tracking._device import cpu_model
from seqpipe.tracking._git import Repository
from seqpipe.tracking._git_index import state_of

__all__ = ["environment_tags", "installed_version"]

_PACKAGES = ("mlflow", "numpy", "scikit-learn", "seqpipe", "skorch", "torch")


def environment_tags() -> dict[str, str]:
    """Return tags with the user, script, git commit, versions and processor."""
    return {**_tags_of_process(), **_git_tags(Path.cwd())}


@cache
def _tags_of_process() -> dict[str, str]:
    versions = {name: installed_version(name) for name in _PACKAGES}
    return {
        "mlflow.source.name": sys.argv[0] or "python",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _user(),
        "seqpipe.cpu.cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "seqpipe.cpu.model": cpu_model(),
        "seqpipe.version.python": platform.python_version(),
        **{f"seqpipe.version.{name}": version for name, version in versions.items() if version},
    }


def installed_version(distribution: str) -> str | None:
    """Return the version of an installed distribution, None if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a user id without a name
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


def _git_tags(folder: Path) -> dict[str, str]:
    """Return tags with the commit and whether files differ from it ("true", "false" or "unknown"); none outside a repository."""
    repository = Repository.of(folder)
    commit = None if repository is None else repository.commit()
    if repository is None or commit is None:
        return {}
    dirty = {"clean": "false", "dirty": "true", "unknown": "unknown"}[state_of(repository, commit)]
    return {"mlflow.source.git.commit": commit, "seqpipe.git.dirty": dirty}
