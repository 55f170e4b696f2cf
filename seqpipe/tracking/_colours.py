"""One colour for each cell in MLflow's charts, the same in every experiment."""

from __future__ import annotations

import colorsys
import zlib

__all__ = ["BASELINE_COLOUR", "COLOUR", "colour_of"]

#: The tag of MLflow for the colour of a run.
COLOUR = "mlflow.runColor"
BASELINE_COLOUR = "#9a9a9a"

#: Colours of the built-in cells, which colour-blind readers can tell apart.
_BUILT_IN = {"gru": "#009e73", "lstm": "#0072b2", "min_gru": "#cc79a7", "mlp": "#e69f00", "rnn": "#d55e00"}


def colour_of(cell: str) -> str:
    """Return the colour of a cell as "#rrggbb"."""
    if cell in _BUILT_IN:
        return _BUILT_IN[cell]
    hue = zlib.crc32(cell.encode()) / 2**32
    red, green, blue = colorsys.hls_to_rgb(hue, 0.42, 0.65)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"
