"""Validation that either all times have a time zone or none has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError

__all__ = ["Place", "refuse_mixed_zones"]

#: Describes the position of a row, such as "gas.csv:12".
Place = Callable[[int], str]


def refuse_mixed_zones(column: pd.Series[Any], aware: NDArray[np.bool_], place: Place) -> None:
    """Raise `InvalidSequencesError` if some times have a time zone and others do not: these cannot be ordered."""
    if aware.all() or not aware.any():
        return
    without, with_zone = int(aware.argmin()), int(aware.argmax())
    raise InvalidSequencesError(
        f"{place(without)}: the time {str(column.iloc[without])!r:.60} of column {column.name!r} has no time zone, but "
        f"{str(column.iloc[with_zone])!r:.60} at {place(with_zone)} has one. Write all times in UTC or with their "
        "offset, such as 2024-05-31T12:00+02:00, or all without."
    )
