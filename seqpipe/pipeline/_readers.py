"""Files that a plug-in reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seqpipe.datasets import Dataset
from seqpipe.exceptions import InvalidSequencesError, SeqpipeError
from seqpipe.pipeline._text_files import is_text_file
from seqpipe.plugins import Registered, host
from seqpipe.sequences import Sequences
from seqpipe.specs import ReaderSpec
from seqpipe.tables import check_fingerprint, check_regular, is_csv

__all__ = ["read_with", "reader_of"]


def reader_of(path: str | Path) -> Registered | None:
    """Return the reader of a plug-in for a file, that with the longest suffix; None for files that seqpipe reads.

    Raises
    ------
    PluginError
        If two plug-ins offer the reader.
    """
    path = Path(path)
    if is_csv(path) or path.is_dir() or path.suffix.lower() == ".parquet" or is_text_file(path):
        return None
    fitting = {
        suffix: name
        for name, offers in host().offers("reader").items()
        for offer in offers
        for suffix in _suffixes(offer)
        if path.name.lower().endswith(suffix)
    }
    if not fitting:
        return None
    return host().find("reader", fitting[max(fitting, key=len)], parameter=f"The reader of {path}")


def read_with(reader: Registered, path: str | Path) -> pd.DataFrame | Dataset:
    """Return what a reader reads from a file; sequences are a data set without targets.

    Raises
    ------
    InvalidSequencesError
        If the file cannot be read.
    PluginError
        If the reader returns something else.
    """
    path = Path(path)
    check_regular(path)
    check_fingerprint(path)
    try:
        found: Any = reader.spec.factory(path)
    except SeqpipeError:
        raise
    except Exception as error:  # on a damaged file a reader may raise any exception
        raise InvalidSequencesError(
            f"{path}: the file cannot be read. {reader.who} failed with {type(error).__name__}: {error}."
        ) from error
    if isinstance(found, pd.DataFrame | Dataset):
        return found
    if isinstance(found, Sequences | np.ndarray | list):
        return Dataset(path.stem, found)  # type: ignore[arg-type]
    raise reader.error(
        f"must return a DataFrame, a seqpipe.datasets.Dataset or sequences. For {path} it returned {found!r:.60} instead"
    )


def _suffixes(offer: Registered) -> tuple[str, ...]:
    assert isinstance(offer.spec, ReaderSpec)
    return tuple(offer.spec.suffixes)
