"""Limits of memory and time for a command, with errors that name the option."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from seqpipe.exceptions import SeqpipeError
from seqpipe.process import memory_limit, time_limit

__all__ = ["bytes_of", "limited"]

#: What libraries say when memory cannot be had, apart from `MemoryError`.
_NO_MEMORY = ("can't allocate memory", "bad_alloc", "Unable to allocate")


def bytes_of(gigabytes: float | None, *, untrusted: bool) -> int | None:
    """Return a limit of memory in bytes: what is given, else for an untrusted recipe half of the available memory."""
    if gigabytes is None and untrusted:
        import psutil

        return int(psutil.virtual_memory().available // 2)
    return None if gigabytes is None else int(gigabytes * 10**9)


@contextmanager
def limited(*, n_bytes: int | None, minutes: float | None) -> Iterator[None]:
    """Limit memory and time in the context.

    Raises
    ------
    SeqpipeError
        If a limit was reached; the message names the option that raises it.
    """
    try:
        with ExitStack() as limits:
            if n_bytes is not None:
                limits.enter_context(memory_limit(n_bytes))
            if minutes is not None:
                limits.enter_context(time_limit(60 * minutes))
            yield
    except TimeoutError as error:
        if minutes is None:
            raise
        raise SeqpipeError(
            f"The run took more than {minutes:g} minutes: raise the limit with --max-minutes."
        ) from error
    except Exception as error:
        if n_bytes is None or not _is_short_of_memory(error):
            raise
        raise SeqpipeError(
            f"The run needs more than {n_bytes / 10**9:.1f} GB of memory: raise the limit with --max-memory. "
            f"What failed: {error}"
        ) from error


def _is_short_of_memory(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False
