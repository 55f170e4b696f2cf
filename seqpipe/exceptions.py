"""Every error and warning that seqpipe raises on its own.

::

    SeqpipeError
    ├── InvalidSequencesError (ValueError)    data that no network can be trained on, with its place
    ├── CellError (ValueError)                a cell whose step breaks the cell protocol
    ├── CompilerError (RuntimeError)          no C compiler, or one that failed, with what it said
    ├── UnknownNameError (ValueError)         a name that no registry holds
    ├── PluginError (RuntimeError)            a plug-in that cannot be used, with its distribution
    ├── RecipeError (ValueError)              a recipe that cannot be run, with file, line and field
    ├── FitFailedError (RuntimeError)         a fit, or all fits of a search, that failed, with the reason
    ├── BundleError (ValueError)              a model that cannot be saved or loaded without running code
    └── TrackingError (RuntimeError)          a tracking store that cannot be used

    SeqpipeWarning (UserWarning)
    ├── DataWarning                           data that was used, but deserves a look
    ├── DivergenceWarning                     a fit that was stopped before it lost its weights
    ├── PluginWarning                         a plug-in that was left out
    └── TrackingWarning                       a record that could not be written
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, ClassVar

__all__ = [
    "BundleError",
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
    """Root of seqpipe's own errors.

    Attributes
    ----------
    page : str
        The page of the documentation that explains what the error is about; the command line names it.
    """

    page: ClassVar[str] = "docs/faq.md"


class InvalidSequencesError(SeqpipeError, ValueError):
    """Data that cannot be used as sequences; the message names sample, step and column."""

    page = "docs/estimators.md"


class CellError(SeqpipeError, ValueError):
    """A recurrent cell that breaks the cell protocol."""

    page = "docs/plugins.md"


class CompilerError(SeqpipeError, RuntimeError):
    """No C compiler, or one that failed; the message gives its last words or the remedy."""

    page = "docs/engine.md"


class UnknownNameError(SeqpipeError, ValueError):
    """A name that no registry holds."""

    page = "docs/plugins.md"


class PluginError(SeqpipeError, RuntimeError):
    """A plug-in that cannot be used; the message names its distribution."""

    page = "docs/plugins.md"


class RecipeError(SeqpipeError, ValueError):
    """A recipe that cannot be run; the message names file, line and field."""

    page = "docs/recipes.md"


class FitFailedError(SeqpipeError, RuntimeError):
    """A fit that failed, or a search of which no fit succeeded; the message gives the first reason."""


class BundleError(SeqpipeError, ValueError):
    """A model that cannot be saved, or loaded, without running code; the message names what it holds."""

    page = "docs/saving.md"


class TrackingError(SeqpipeError, RuntimeError):
    """A tracking store that cannot be used."""

    page = "docs/tracking.md"


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


def did_you_mean(name: object, choices: Iterable[Any]) -> str:
    """Return " Did you mean 'x'?" for the choice closest to ``name``, or nothing.

    Where the two look alike, the hint tells them apart: by Unicode's escapes, or by what was given instead.
    """
    folded = {_folded(str(choice)): choice for choice in choices}
    close = get_close_matches(_folded(str(name)), folded, n=1)
    if not close or folded[close[0]] == name:
        return ""
    return f" Did you mean {_told_apart(folded[close[0]], name)}?"


def _folded(text: str) -> str:
    """Return what two texts have in common that look alike: no case, no forms, no blanks, no invisible characters."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(
        letter for letter in plain if unicodedata.category(letter) not in ("Cf", "Cc") and not letter.isspace()
    )


def _told_apart(choice: object, name: object) -> str:
    if not (isinstance(choice, str) and isinstance(name, str) and _look_alike(choice, name)):
        return repr(choice)
    if (ascii(choice), ascii(name)) == (repr(choice), repr(name)):
        return f"{choice!r}, not {name!r}"
    return f"{choice!r} ({choice!a}, not {name!a})"


def _look_alike(one: str, other: str) -> bool:
    if (one + other).isascii() and one.casefold() == other.casefold():
        return False
    return _folded(one) == _folded(other) or _are_of_other_scripts(one, other)


def _are_of_other_scripts(one: str, other: str) -> bool:
    """Tell whether two texts differ in letters of other scripts only, such as Latin and Cyrillic, which may look alike."""
    differing = [pair for pair in zip(one, other) if pair[0] != pair[1]]
    scripts = [{unicodedata.name(letter, "").partition(" ")[0] for letter in pair} for pair in differing]
    return len(one) == len(other) and all(len(both) == 2 for both in scripts)
