"""Every error and warning that seqpipe raises on its own.

::

    SeqpipeError
    ├── InvalidSequencesError (ValueError)    data that no network can be trained on, with its place
    ├── CellError (ValueError)                a cell whose step breaks the cell protocol
    ├── CompilerError (RuntimeError)          no C compiler, or one that failed, with what it said
    ├── UnknownNameError (ValueError)         a name that no registry holds
    ├── PluginError (RuntimeError)            a plug-in that cannot be used, with its distribution
    ├── RecipeError (ValueError)              a recipe that cannot be run, with file, line and field
    ├── FitFailedError (RuntimeError)         a search of which no fit succeeded, with the first reason
    └── TrackingError (RuntimeError)          a tracking store that cannot be used

    SeqpipeWarning (UserWarning)
    ├── DataWarning                           data that was used, but deserves a look
    ├── DivergenceWarning                     a fit that was stopped before it lost its weights
    ├── PluginWarning                         a plug-in that was left out
    └── TrackingWarning                       a record that could not be written
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "CellError",
    "CompilerError",
    "DataWarning",
    "DivergenceWarning",
    "FitFailedError",
    "InvalidSequencesError",
    "PluginError",
    "PluginWarning",
    "RecipeError",
    "SeqpipeError",
    "SeqpipeWarning",
    "TrackingError",
    "TrackingWarning",
    "UnknownNameError",
    "did_you_mean",
]


class SeqpipeError(Exception):
    """Root of seqpipe's own errors."""


class InvalidSequencesError(SeqpipeError, ValueError):
    """Data that cannot be used as sequences; the message names sample, step and column."""


class CellError(SeqpipeError, ValueError):
    """A recurrent cell that breaks the cell protocol."""


class CompilerError(SeqpipeError, RuntimeError):
    """No C compiler, or one that failed; the message gives its last words or the remedy."""


class UnknownNameError(SeqpipeError, ValueError):
    """A name that no registry holds."""


class PluginError(SeqpipeError, RuntimeError):
    """A plug-in that cannot be used; the message names its distribution."""


class RecipeError(SeqpipeError, ValueError):
    """A recipe that cannot be run; the message names file, line and field."""


class FitFailedError(SeqpipeError, RuntimeError):
    """A search of which no fit succeeded; the message gives the first reason."""


class TrackingError(SeqpipeError, RuntimeError):
    """A tracking store that cannot be used."""


class SeqpipeWarning(UserWarning):
    """Root of seqpipe's own warnings."""


class DataWarning(SeqpipeWarning):
    """Data that was used as it is, but deserves a look."""


class DivergenceWarning(SeqpipeWarning):
    """A fit that was stopped because loss, gradient or weights left the finite numbers."""


class PluginWarning(SeqpipeWarning):
    """A plug-in that was left out."""


class TrackingWarning(SeqpipeWarning):
    """A record that could not be written to the tracking store."""


def did_you_mean(name: object, choices: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the choice closest to ``name``, or nothing."""
    folded = {choice.casefold(): choice for choice in choices}
    close = get_close_matches(str(name).casefold(), folded, n=1)
    return f" Did you mean {folded[close[0]]!r}?" if close else ""
