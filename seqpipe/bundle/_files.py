"""Models to files and back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import skops.io
from sklearn.utils.validation import check_is_fitted

from seqpipe.bundle._archive import read_regular_file
from seqpipe.bundle._check import check_model
from seqpipe.callbacks import without_callbacks
from seqpipe.exceptions import BundleError
from seqpipe.saved import writing

__all__ = ["load", "read", "save", "trusted_types"]


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted model to a file that runs no code when it is read.

    Parameters
    ----------
    model : estimator
        Fitted: one of seqpipe's, or a Pipeline or search of scikit-learn with one inside.
    path : str or path
        The file, such as "model.skops"; replaced if it exists.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    BundleError
        If it holds objects of types that neither scikit-learn, seqpipe nor an installed plug-in provides, or whose contents
        nothing checks when they are read; or if skops cannot write it.
    OSError
        If the file cannot be written.

    See Also
    --------
    load : Read the model.

    Notes
    -----
    Weights and the optimizer's state are kept, callbacks and folders of checkpoints are not. Read a model with the versions
    of scikit-learn and seqpipe that wrote it.

    Examples
    --------
    >>> import numpy as np, seqpipe, tempfile, os
    >>> X = np.random.default_rng(0).normal(size=(20, 10, 1))
    >>> model = seqpipe.SequenceRegressor(max_epochs=2, random_state=0).fit(X, X[:, -1, 0])
    >>> path = os.path.join(tempfile.mkdtemp(), "model.skops")
    >>> seqpipe.save(model, path)
    >>> bool((seqpipe.load(path).predict(X) == model.predict(X)).all())
    True
    """
    check_is_fitted(model)
    target = Path(path)
    if not target.parent.exists():
        raise FileNotFoundError(f"The folder {str(target.parent)!r} does not exist. Create it before saving.")
    try:
        data = _written(model)
    except BundleError as error:
        if not hasattr(model, "best_estimator_"):
            raise
        raise BundleError(f"{error} Its best_estimator_ may be saved alone.") from error
    part = target.with_name(f".{target.name}.{uuid4().hex}")
    try:  # a file that is there is replaced as a whole, or not at all
        part.write_bytes(data)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def load(path: str | os.PathLike[str]) -> Any:
    """Return the model in a file that `save` has written.

    Loading runs no code from the file; a file with untrusted types is refused.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    model : estimator
        Fitted; on the CPU where the device that it was trained on is missing.

    Raises
    ------
    BundleError
        If this is no such file, it is damaged, it holds types that `save` refuses, or values that no fitted model has; the
        message names them.
    OSError
        If the file cannot be read.
    """
    return read(path, owner=f"The file {os.fspath(path)!r}", writer="seqpipe.save")


def read(path: str | os.PathLike[str], *, owner: str, writer: str) -> Any:
    """Return the model in a file; errors call it ``owner`` and ask whether ``writer`` wrote it.

    Raises
    ------
    BundleError
        As `load`.
    """
    data = read_regular_file(path, owner=owner)
    try:
        return skops.io.loads(data, trusted=check_model(data, owner=owner))
    except BundleError:
        raise
    except Exception as error:  # a damaged file may fail in any way
        reason = " ".join(str(error).split())
        raise BundleError(
            f"{owner} cannot be read ({type(error).__name__}: {reason:.2000}). Was it written by {writer}?"
        ) from error


def trusted_types(model: Any) -> list[str]:
    """Return the types that must be passed to skops as trusted in a model.

    Raises
    ------
    BundleError
        As `save`.
    """
    found: list[str] = skops.io.get_untrusted_types(data=_written(model))
    return found


def _written(model: Any) -> bytes:
    """Return a model as bytes that can be read again."""
    name = type(model).__name__
    try:
        with writing():
            data = skops.io.dumps(without_callbacks(model))
    except Exception as error:
        raise BundleError(f"skops cannot write {name}: {error}") from error
    check_model(data, owner=name)
    return data
