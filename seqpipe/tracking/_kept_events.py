"""The events of this process, in a journal until the store has them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from seqpipe.tracking._events import Event
from seqpipe.tracking._journal import Journal
from seqpipe.tracking._place import journal_prefix

__all__ = ["KeptEvents"]


class KeptEvents:
    """Keeps events in a journal, or, where none can be written, in the memory of this process alone.

    Parameters
    ----------
    uri : str
        URI of the store.
    header : dict
        What replaying the journal needs to know, JSON types only.

    Attributes
    ----------
    journal : Path or None
        The folder of the journal; None if there is none.
    count : int
        Number of events in the journal.
    failure : str or None
        Why an event is not in the journal; None if all are.
    """

    def __init__(self, uri: str, header: dict[str, Any]) -> None:
        self._uri = uri
        self._header = header
        self._journal: Journal | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self.failure: str | None = None

    @property
    def journal(self) -> Path | None:
        """The folder of the journal; None if there is none."""
        return None if self._journal is None else self._journal.folder

    @property
    def count(self) -> int:
        """Number of events in the journal."""
        return 0 if self._journal is None else self._journal.count

    @property
    def folder(self) -> Path:
        """Where files and models wait until they are uploaded."""
        if self._journal is not None:
            return self._journal.folder
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="seqpipe-")
        return Path(self._temporary.name)

    def begin(self) -> None:
        """Create the journal if there is none."""
        self.failure = None
        if self._journal is None:
            try:
                self._journal = Journal(journal_prefix(self._uri), self._header)
            except (OSError, RuntimeError) as error:  # RuntimeError: the user has no home folder
                self._fail(error)

    def append(self, event: Event) -> None:
        """Add an event."""
        if self._journal is not None:
            try:
                self._journal.append(event)
            except OSError as error:
                self._fail(error)

    def mark(self, count: int) -> None:
        """Note that the store has the first ``count`` events."""
        if self._journal is not None and count > self._journal.written:
            try:
                self._journal.mark(count)
            except OSError as error:
                self._fail(error)

    def touch(self) -> None:
        """Show processes of other hosts that this one still runs."""
        if self._journal is not None:
            try:
                self._journal.touch()
            except OSError as error:
                self._fail(error)

    def discard(self) -> None:
        """Delete the journal, whose events the store has."""
        if self._journal is not None:
            self._journal.remove()
        if self._temporary is not None:
            self._temporary.cleanup()
        self._journal = self._temporary = None

    def leave(self) -> None:
        """Leave the journal to the next process."""
        if self._journal is not None:
            self._journal.close()
        self._journal = None

    def _fail(self, error: Exception) -> None:
        self.failure = self.failure or f"{type(error).__name__}: {error}"
