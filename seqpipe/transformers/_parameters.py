"""Validation of single parameters, with uniform error messages."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

from seqpipe.exceptions import InvalidSequencesError, UnknownNameError, did_you_mean

__all__ = ["check_choice", "check_integer", "check_number"]


def check_integer(owner: str, name: str, value: Any, *, minimum: int) -> None:
    """Raise `InvalidSequencesError` unless ``value`` is an integer of at least ``minimum``."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < minimum:
        raise InvalidSequencesError(
            f"The {name!r} parameter of {owner} must be an integer of at least {minimum}. Got {value!r} instead."
        )


def check_number(owner: str, name: str, value: Any) -> None:
    """Raise `InvalidSequencesError` unless ``value`` is a real number; NaN is accepted."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise InvalidSequencesError(f"The {name!r} parameter of {owner} must be a number. Got {value!r} instead.")


def check_choice(owner: str, name: str, value: Any, choices: Sequence[str]) -> None:
    """Raise `UnknownNameError` unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise UnknownNameError(
            f"The {name!r} parameter of {owner} must be one of {sorted(choices)}. Got {value!r} instead."
            f"{did_you_mean(value, choices)}"
        )
