"""The record that all data set loaders return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from seqpipe.sequences import Sequences

__all__ = ["Dataset"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Real or synthetic data with its source: sequences with targets, or a series.

    Attributes
    ----------
    name : str
        Name of the data set in recipes.
    X : array of shape (n_samples, n_timesteps, n_features), or Sequences, or None
        The sequences; also texts, an object array of shape (n_samples,), or vectors, (n_samples, n_features); None if
        the data is a series.
    y : array of shape (n_samples,), or (n_samples, n_timesteps, n_outputs) with one per step, or None
        The targets.
    frame : DataFrame of shape (n_timesteps, n_features) or None
        The series, indexed by time.
    feature_names, target_names : tuple of str
        Names of the features of the sequences or the series, and of the classes; empty if there are none.
    description, source, licence : str
        Description, source and licence of the data.
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
