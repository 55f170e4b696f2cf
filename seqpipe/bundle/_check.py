"""Everything that is checked of a model's file before objects are created from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from seqpipe.bundle._archive import Archive
from seqpipe.bundle._outline import Description, names_in
from seqpipe.bundle._states import check_state
from seqpipe.bundle._trust import TrustedNames, unchecked_types
from seqpipe.exceptions import BundleError
from seqpipe.saved import StateError

__all__ = ["check_model"]


def check_model(data: bytes, *, owner: str) -> list[str]:
    """Check a file, and return the names in it, which must be passed to skops as trusted.

    Parameters
    ----------
    data : bytes
        The whole file.
    owner : str
        What errors call the model.

    Raises
    ------
    BundleError
        If it is not as `save` writes it, would become too large, holds untrusted types or types whose contents are not
        checked, or values that no fitted model has.
    """
    with _about(owner):
        archive = Archive(data)
        names = [*names_in(archive)]
    _check_compiled(names, owner)
    with _about(owner):
        found = Description(archive, TrustedNames())
    _check_names(found, owner)
    try:
        for place, each in found.objects:
            check_state(each, place)
    except StateError as error:
        raise BundleError(
            f"{owner} is not read: {error} The schema of a model allows only what `fit` sets: remove the value before saving, "
            "or get the file from a source that you trust."
        ) from error
    return sorted(found.names)


@contextmanager
def _about(owner: str) -> Iterator[None]:
    """Add the owner and the remedy to what is wrong with the form of a file."""
    try:
        yield
    except BundleError as error:
        raise BundleError(
            f"{owner} is not read: {error}. It is damaged, or was not written by seqpipe: get it again from a source that "
            "you trust."
        ) from error


def _check_compiled(names: Iterable[str], owner: str) -> None:
    if unchecked := unchecked_types(names):
        raise BundleError(
            f"{owner} holds {', '.join(unchecked)}. Compiled code follows the numbers in it without a check, so that a "
            "forged file could crash the process. Replace it by another estimator, or save and load the model yourself."
        )


def _check_names(found: Description, owner: str) -> None:
    if foreign := sorted(found.foreign):
        scripted = " Move classes of a script or notebook (__main__) to a plug-in: they must be importable on loading."
        raise BundleError(
            f"{owner} holds {', '.join(foreign)}, which is no estimator, cell or data class of scikit-learn, seqpipe or an "
            "installed plug-in. Install the plug-in that it needs, replace it, or save and load the model yourself."
            f"{scripted if any(name.startswith('__main__.') for name in foreign) else ''}"
        )
    if found.callers:
        raise BundleError(
            f"{owner} is not read: it describes {found.callers[0]}, which can call functions. Replace such objects by numbers, "
            "texts and estimators before saving."
        )
