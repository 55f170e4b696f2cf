"""Warnings of features that vary by less than the precision of a network's numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.estimators._user_warning import warn_user
from seqpipe.exceptions import DataWarning
from seqpipe.sequences import Sequences, Windows, lost_changes

__all__ = ["warn_of_lost_changes"]


def warn_of_lost_changes(
    X: Sequences | Windows, seen: Callable[[NDArray[Any]], NDArray[Any]], when: str, dtype: str, remedy: str = ""
) -> None:
    """Warn if changes of a feature from one time step to the next are lost.

    Parameters
    ----------
    X : Sequences or Windows
        Sequences before the operation.
    seen : callable
        As in `lost_changes`.
    when : str
        The operation, for the message.
    dtype : str
        The network's type.
    remedy : str
        A sentence before the other remedies, with a space at its end.
    """
    typical = lost_changes(X, seen)
    lost = np.flatnonzero(~np.isnan(typical))
    if not len(lost):
        return
    j = int(lost[0])
    feature = j if X.feature_names is None else repr(X.feature_names[j])
    more = ", or set dtype='float64'" if dtype == "float32" else ""
    others = f" ({len(lost)} such features)" if len(lost) > 1 else ""
    warn_user(
        f"Feature {feature} of X loses information {when}: it changes by about {typical[j]:.2g} from one time step to the "
        f"next, which is below the precision of {dtype} at its values{others}. {remedy}Subtract its level before fit, clip "
        f"outliers, or scale it otherwise{more}.",
        DataWarning,
    )
