"""All exceptions and warnings of seqpipe.

::

    SeqpipeError
    ├── InvalidSequencesError (ValueError)    invalid data; the message names the position
    ├── CellError (ValueError)                a cell whose step violates the cell protocol
    ├── CompilerError (RuntimeError)          a C compiler that is missing or failed
    ├── UnknownNameError (ValueError)         a name that is not registered
    ├── PluginError (RuntimeError)            a plug-in that cannot be used; the message names its distribution
    ├── RecipeError (ValueError)              an invalid recipe; the message names file, line and field
    ├── FitFailedError (RuntimeError)         a failed fit, or a search without successful fits
    ├── CheckpointError (RuntimeError)        a checkpoint that cannot be written, read or continued from
    ├── OutOfMemoryError (MemoryError)        memory that does not suffice for a single sequence
    ├── BundleError (ValueError)              a model that cannot be saved or loaded without running code
    └── TrackingError (RuntimeError)          a tracking store that cannot be used

    SeqpipeWarning (UserWarning)
    ├── BaselineWarning                       a model that is not better than a constant prediction
    ├── CheckpointWarning                     a checkpoint that is damaged, or of other versions
    ├── DataWarning                           data that was used, but should be checked
    ├── DivergenceWarning                     training stopped because of non-finite values
    ├── OutOfMemoryWarning                    batches that were split because they did not fit into memory
    ├── PluginWarning                         a plug-in that was skipped
    └── TrackingWarning                       a record that could not be written
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, ClassVar

__all__ = [
    "BaselineWarning",
    "BundleError",
    "CellError",
    "CheckpointError",
    "CheckpointWarning",
    "CompilerError",
    "DataWarning",
    "DivergenceWarning",
    "FitFailedError",
    "InvalidSequencesError",
    "OutOfMemoryError",
    "OutOfMemoryWarning",
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
    """Base class of all exceptions of seqpipe.

    Attributes
    ----------
    page : str
        The page of the documentation that explains what the error is about; the command line names it.
    """

    page: ClassVar[str] = "docs/faq.md"


class InvalidSequencesError(SeqpipeError, ValueError):
    """Invalid sequences or tables; the message names sample, step and column."""

    page = "docs/estimators.md"


class CellError(SeqpipeError, ValueError):
    """A recurrent cell that violates the cell protocol."""

    page = "docs/plugins.md"


class CompilerError(SeqpipeError, RuntimeError):
    """A C compiler is missing or failed; the message includes its output or the remedy."""

    page = "docs/engine.md"


class UnknownNameError(SeqpipeError, ValueError):
    """A name that is not registered."""

    page = "docs/plugins.md"


class PluginError(SeqpipeError, RuntimeError):
    """A plug-in that cannot be used; the message names its distribution."""

    page = "docs/plugins.md"


class RecipeError(SeqpipeError, ValueError):
    """An invalid recipe; the message names file, line and field."""

    page = "docs/recipes.md"


class FitFailedError(SeqpipeError, RuntimeError):
    """A failed fit, or a search without successful fits; the message includes the first error."""


class CheckpointError(SeqpipeError, RuntimeError):
    """A checkpoint cannot be written or read, or is of a fit with other settings or data."""

    page = "docs/resuming.md"


class OutOfMemoryError(SeqpipeError, MemoryError):
    """Memory does not suffice for a single sequence."""

    page = "docs/training.md"


class BundleError(SeqpipeError, ValueError):
    """A model that cannot be saved or loaded without running code; the message names the untrusted types."""

    page = "docs/saving.md"


class TrackingError(SeqpipeError, RuntimeError):
    """A tracking store that cannot be used."""

    page = "docs/tracking.md"


class SeqpipeWarning(UserWarning):
    """Base class of all warnings of seqpipe."""


class BaselineWarning(SeqpipeWarning):
    """A model that is not better than a constant prediction on data that it was not trained on.

    Attributes
    ----------
    remedies : tuple of str
        What to try, in this order.
    page : str
        The page of the documentation that explains them.
    """

    page: ClassVar[str] = "docs/my-score-is-bad.md"
    remedies: ClassVar[tuple[str, ...]] = (
        "check that targets belong to their sequences, and that rows are in order of time",
        "search lr over 0.001, 0.003 and 0.01",
        "raise max_epochs if the training loss is still falling, and hidden_size if it stays high",
        "set dropout=0.3 or weight_decay=0.1 if only the training loss is low",
        "try an estimator that is not recurrent",
    )

    @classmethod
    def advice(cls) -> str:
        """Return the remedies as sentences that end a message."""
        steps = "; ".join(f"({i}) {remedy}" for i, remedy in enumerate(cls.remedies, 1))
        return f"Try, in this order: {steps}. {cls.page} has the details."


class CheckpointWarning(SeqpipeWarning):
    """A checkpoint is damaged, or was written by other versions."""


class DataWarning(SeqpipeWarning):
    """Data that was used, but should be checked."""


class DivergenceWarning(SeqpipeWarning):
    """Training stopped because loss, gradients or weights were not finite."""


class OutOfMemoryWarning(SeqpipeWarning):
    """Batches were split because they did not fit into memory."""


class PluginWarning(SeqpipeWarning):
    """A plug-in that was skipped."""


class TrackingWarning(SeqpipeWarning):
    """A record that could not be written to the tracking store."""


def did_you_mean(name: object, choices: Iterable[Any]) -> str:
    """Return " Did you mean 'x'?" for the choice closest to ``name``, or nothing.

    Choices with the same letters in another order come first: swapped letters are the most common typing error.
    If the two look alike, the hint distinguishes them by Unicode escapes, or by quoting the given name.
    """
    folded = {_folded(str(choice)): choice for choice in choices}
    given = _folded(str(name))
    same_letters = [text for text in folded if sorted(text) == sorted(given)]
    close = (
        [text for text in same_letters if _are_swapped(text, given)]
        or get_close_matches(given, same_letters, n=1, cutoff=0.5)
        or get_close_matches(given, folded, n=1)
    )
    if not close or folded[close[0]] == name:
        return ""
    return f" Did you mean {_distinguished(folded[close[0]], name)}?"


def _are_swapped(one: str, other: str) -> bool:
    """Return whether two texts with the same letters differ by a swap of two neighbours."""
    places = [i for i, pair in enumerate(zip(one, other)) if pair[0] != pair[1]]
    return len(places) == 2 and places[1] - places[0] == 1


def _folded(text: str) -> str:
    """Return a canonical form of look-alike texts: normalized, without case, whitespace and invisible characters."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(
        letter for letter in plain if unicodedata.category(letter) not in ("Cf", "Cc") and not letter.isspace()
    )


def _distinguished(choice: object, name: object) -> str:
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
    """Return whether two texts differ only in letters of different scripts, such as Latin and Cyrillic."""
    differing = [pair for pair in zip(one, other) if pair[0] != pair[1]]
    scripts = [{unicodedata.name(letter, "").partition(" ")[0] for letter in pair} for pair in differing]
    return len(one) == len(other) and all(len(both) == 2 for both in scripts)
