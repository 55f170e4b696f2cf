"""Refusal of ``set_output`` where the output of a transformer is sequences, which no data frame holds sample by sample."""

from __future__ import annotations

from typing import Any, NoReturn

from seqpipe.exceptions import InvalidSequencesError

__all__ = ["NoDataFrameMixin", "check_output_config"]

_REMEDY = (
    "a data frame has one row of numbers per sample. Leave it out, or convert the result: "
    "seqpipe.sequences.frame_from_sequences returns a data frame with one row per time step."
)


class NoDataFrameMixin:
    """Mixin for transformers whose output is never a table: ``set_output`` is not available, and says why."""

    @property
    def set_output(self) -> NoReturn:
        """Raise AttributeError with the remedy, so that ``hasattr`` is False for scikit-learn."""
        raise AttributeError(f"set_output does not apply to {type(self).__name__}, which returns sequences: {_REMEDY}")


def check_output_config(transformer: Any) -> None:
    """Raise `InvalidSequencesError` if ``set_output`` of a transformer that returns sequences asks for a data frame.

    scikit-learn's global setting does not count: it is for the transformers that it applies to.
    """
    wanted = getattr(transformer, "_sklearn_output_config", {}).get("transform", "default")
    if wanted != "default":
        raise InvalidSequencesError(
            f"set_output(transform={wanted!r}) of {type(transformer).__name__} applies to tables of shape (n_samples, "
            f"n_timesteps). Got sequences instead: {_REMEDY}"
        )
