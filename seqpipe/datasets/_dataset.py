"""What every embedded data set hands over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from seqpipe.sequences import Sequences

__all__ = ["Dataset"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Real or computed data with its origin: sequences with targets, or a series.

    Attributes
    ----------
    name : str
        What recipes call it.
    X : array of shape (n_samples, n_timesteps, n_features), or Sequences, or None
        The sequences; also texts, an object array of shape (n_samples,), or vectors, (n_samples, n_features); None where
        the data is a series.
    y : array of shape (n_samples,), or (n_samples, n_timesteps, n_outputs) where each step has its own, or None
        Their targets.
    frame : DataFrame of shape (n_timesteps, n_features) or None
        The series, its index the time.
    feature_names, target_names : tuple of str
        Columns of the sequences or the series, and the classes; empty where they have no names.
    description, source, licence : str
        What it is, where it is from, and how it may be used.
    """

    name: str
    X: NDArray[Any] | Sequences | None = None
    y: NDArray[Any] | None = None
    frame: pd.DataFrame | None = None
    feature_names: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    description: str = ""
    source: str = ""
    licence: str = ""
