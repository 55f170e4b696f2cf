"""The table of predicted labels and their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from numpy.typing import NDArray

__all__ = ["label_frame"]


def label_frame(
    predicted: NDArray[Any], probabilities: NDArray[Any], classes: Any, names: Sequence[str]
) -> pd.DataFrame:
    """Return predictions and probabilities as columns.

    Parameters
    ----------
    predicted : array of shape (n_rows,) or (n_rows, n_labels)
        Labels, or indicators of several labels.
    probabilities : array of shape (n_rows, n_classes) or (n_rows, n_labels)
        Probability of each class, or that each label applies.
    classes : array of shape (n_classes,)
        The classes; unused for indicators.
    names : sequence of str
        Names of the target columns.

    Returns
    -------
    DataFrame of n_rows
        The columns ``prediction`` and ``p_<class>`` or, for indicators, ``prediction_<target>`` and ``p_<target>``.
    """
    if predicted.ndim == 1:
        frame = pd.DataFrame(probabilities, columns=[f"p_{label}" for label in classes])
        frame.insert(0, "prediction", predicted)
        return frame
    labels = [str(label) for label in names or range(predicted.shape[1])]
    indicators = pd.DataFrame(predicted, columns=[f"prediction_{label}" for label in labels])
    return indicators.join(pd.DataFrame(probabilities, columns=[f"p_{label}" for label in labels]))
