"""Write what ended processes left in their journals to the store."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from mlflow import MlflowClient

from seqpipe.tables import count
from seqpipe.tracking._events import Event, FitBegan
from seqpipe.tracking._experiment_id import experiment_id
from seqpipe.tracking._journal import Contents, claimed, find_journals, is_held, is_own, read_journal, remove_claimed
from seqpipe.tracking._place import journal_prefix
from seqpipe.tracking._process import SILENT_SECONDS, is_here
from seqpipe.tracking._publish import Publisher
from seqpipe.tracking._quiet import quiet
from seqpipe.tracking._reach import is_away, reason_of
from seqpipe.tracking._tree import RunTree, add_tree

__all__ = ["Replayed", "replay_journals"]


@dataclass
class Replayed:
    """What became of the journals of a store.

    Attributes
    ----------
    journals : int
        Number of journals that the store now has, and that were deleted.
    runs, entries : int
        Number of runs that were written to, and of entries (parameters, tags, points, files, models, outcomes).
    damaged : int
        Number of entries that could not be read.
    running : int
        Number of journals whose processes still run.
    foreign : list of Path
        Journals that belong to other users, or that others can write to.
    failed : dict of Path to str
        Journals that could not be replayed, with the reason; they are kept.
    """

    journals: int = 0
    runs: int = 0
    entries: int = 0
    damaged: int = 0
    running: int = 0
    foreign: list[Path] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Return a sentence for each group of journals that need no attention."""
        found = []
        if self.journals:
            what = f"{count(self.entries, 'change')} of {count(self.runs, 'run')}"
            found.append(f"{count(self.journals, 'journal')} replayed: {what}.")
        if self.running:
            found.append(f"{count(self.running, 'journal')} left to processes that still run.")
        if self.foreign:
            found.append(
                f"{count(len(self.foreign), 'journal')} left to other users: {', '.join(map(str, self.foreign))}."
            )
        return found or ["There is nothing to replay."]

    def problems(self) -> list[str]:
        """Return a sentence for each journal, or group of entries, that the store does not have."""
        kept = 'It is kept, and tried again when the store is next used or with "seqpipe sync".'
        found = [
            f"The journal {str(path)!r} could not be replayed ({why}). {kept}" for path, why in self.failed.items()
        ]
        if self.damaged:
            found.append(f"{count(self.damaged, 'line')} of journals are damaged, and left out of the runs.")
        return found


def replay_journals(client: MlflowClient, uri: str) -> Replayed:
    """Replay the journals of this user whose processes have ended, and delete those that the store has completely."""
    done = Replayed()
    for folder in find_journals(journal_prefix(uri)):
        with suppress(FileNotFoundError):  # another process has replayed it, or its own has deleted it
            _replay_one(client, folder, done)
    return done


def _replay_one(client: MlflowClient, folder: Path, done: Replayed) -> None:
    if is_held(folder):
        done.running += 1
        return
    if not is_own(folder):
        done.foreign.append(folder)
        return
    with claimed(folder) as lock:
        contents = None if lock is None else _read(folder)
        if lock is None or contents is None:
            done.running += 1
        elif _replay(client, folder, contents, done):
            remove_claimed(folder, lock)


def _read(folder: Path) -> Contents | None:
    """Read a journal; None if its process may run on another host, whose locks are not seen on some file systems."""
    contents = read_journal(folder)
    age = time.time() - (folder / "events").stat().st_mtime
    return contents if is_here(contents.header.get("process", {})) or age > SILENT_SECONDS else None


def _replay(client: MlflowClient, folder: Path, contents: Contents, done: Replayed) -> bool:
    """Replay a journal and return whether the store has all of it."""
    try:
        with quiet():
            _publish(client, folder, contents, done)
    except Exception as error:  # the next process tries again
        done.failed[folder] = reason_of(error)
        return False
    done.journals += 1
    done.damaged += contents.damaged
    return True


def _publish(client: MlflowClient, folder: Path, contents: Contents, done: Replayed) -> None:
    trees = _rebuilt(contents, folder)
    publisher = Publisher(client, experiment_id(client, str(contents.header["experiment"])))
    known = {event.tree for event in contents.written}
    for tree in trees.values():
        publisher.adopt(tree)
    for key, tree in sorted(trees.items(), key=lambda item: -len(item[1].above)):  # groups wait for their members
        if key in known and tree.root.run_id is None:
            continue  # its runs were removed from the store
        pending = [run.pending for run in tree.runs if run.pending]
        publisher.publish_tree(tree, is_away)
        done.runs += len(pending)
        done.entries += sum(pending)


def _rebuilt(contents: Contents, folder: Path) -> dict[UUID, RunTree]:
    """Return the run trees of a journal, with what the store does not have in their outboxes."""
    trees: dict[UUID, RunTree] = {}
    for event in contents.written:
        _apply(trees, event, folder)
    for tree in trees.values():
        tree.settle()
    for event in contents.unwritten:
        _apply(trees, event, folder)
    for tree in trees.values():
        tree.close()
    return trees


def _apply(trees: dict[UUID, RunTree], event: Event, folder: Path) -> None:
    if isinstance(event, FitBegan):
        add_tree(trees, event, folder)
    elif event.tree in trees:
        trees[event.tree].apply(event)
