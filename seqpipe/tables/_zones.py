"""Times with a zone among times without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError

__all__ = ["Place", "refuse_mixed_zones"]

#: Words for where the row at a position is, such as "gas.csv:12".
Place = Callable[[int], str]


def refuse_mixed_zones(column: pd.Series[Any], aware: NDArray[np.bool_], place: Place) -> None:
    """Raise `InvalidSequencesError` where some times have a zone and others none: these have no order."""
    if aware.all() or not aware.any():
        return
    without, with_zone = int(aware.argmin()), int(aware.argmax())
    raise InvalidSequencesError(
        f"{place(without)}: the time {str(column.iloc[without])!r:.60} of column {column.name!r} has no zone, but "
        f"{str(column.iloc[with_zone])!r:.60} at {place(with_zone)} has one. Write all of them in UTC or with their offset, "
        "such as 2024-05-31T12:00+02:00, or none."
    )
