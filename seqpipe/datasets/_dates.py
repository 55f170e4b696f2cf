"""Dates in English, and in ISO 8601."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from seqpipe.datasets._dataset import Dataset
from seqpipe.exceptions import InvalidSequencesError

__all__ = ["load_dates", "make_dates"]

_FIRST, _LAST = date(1900, 1, 1), date(2099, 12, 31)

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip


def make_dates(n_samples: int, *, random_state: Any = None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Generate dates in English, in words and many other formats, and the same dates in ISO 8601.

    Parameters
    ----------
    n_samples : int
        Number of dates, all different, from the years 1900 to 2099.
    random_state : int, RandomState or None, default=None
        Seed of days and formats.

    Returns
    -------
    X, y : object arrays of shape (n_samples,)
        Strings such as "the fifth of March, nineteen eighty-four" or "Mon 5 Mar 1984", and "1984-03-05".

    Raises
    ------
    InvalidSequencesError
        If n_samples is not positive, or exceeds the number of days.

    Notes
    -----
    Source: computed. Licence: none needed.
    """
    n_days = (_LAST - _FIRST).days + 1
    if not 1 <= n_samples <= n_days:
        raise InvalidSequencesError(
            f"n_samples must be from 1 to {n_days}, the number of days. Got {n_samples} instead."
        )
    random = check_random_state(random_state)
    days = [_FIRST + timedelta(days=int(day)) for day in random.permutation(n_days)[:n_samples]]
    forms = random.randint(len(_FORMS), size=n_samples)
    cases = random.randint(len(_CASES), size=n_samples)
    X = np.array([_CASES[case](_FORMS[form](day)) for day, form, case in zip(days, forms, cases)], dtype=object)
    return X, np.array([day.isoformat() for day in days], dtype=object)


def load_dates() -> Dataset:
    """Return 5,000 dates of `make_dates`, ``X`` in English and ``y`` in ISO 8601, object arrays of strings, shape (5000,).

    Source: computed. Licence: none needed.

    Examples
    --------
    >>> from seqpipe.datasets import load_dates
    >>> dates = load_dates()
    >>> dates.X[0], dates.y[0]
    ('the tenth of October, nineteen ninety-nine', '1999-10-10')
    """
    X, y = make_dates(5000, random_state=0)
    return Dataset(
        name="dates",
        X=X,
        y=y,
        description="5,000 dates from 1900 to 2099 in words and many other formats, and in ISO 8601.",
        source="computed",
        licence="none needed",
    )


def _number(n: int) -> str:
    """Return a number below 100 in words."""
    if n < len(_ONES):
        return _ONES[n]
    return _TENS[n // 10] + (f"-{_ONES[n % 10]}" if n % 10 else "")


def _year(year: int) -> str:
    """Return a year in words: "nineteen oh four", "two thousand six", "twenty twenty-one"."""
    century, rest = divmod(year, 100)
    if century == 20 and rest < 10:
        return "two thousand" + (f" {_number(rest)}" if rest else "")
    if not rest:
        return f"{_number(century)} hundred"
    return f"{_number(century)} {'oh ' if rest < 10 else ''}{_number(rest)}"


def _ordinal(day: int) -> str:
    """Return "first", "twenty-third"."""
    head, hyphen, last = _number(day).rpartition("-")
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return head + hyphen + last


def _short_ordinal(day: int) -> str:
    """Return "1st", "23rd"."""
    ending = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def _month(day: date) -> str:
    return _MONTHS[day.month - 1]


def _weekday(day: date) -> str:
    return _DAYS[day.weekday()]


_FORMS: tuple[Callable[[date], str], ...] = (
    lambda d: f"the {_ordinal(d.day)} of {_month(d)}, {_year(d.year)}",
    lambda d: f"{_weekday(d)}, the {_ordinal(d.day)} of {_month(d)} {_year(d.year)}",
    lambda d: f"{_month(d)} the {_ordinal(d.day)}, {_year(d.year)}",
    lambda d: f"{_month(d)} {_ordinal(d.day)}, {d.year}",
    lambda d: f"the {_short_ordinal(d.day)} of {_month(d)} {d.year}",
    lambda d: f"{_short_ordinal(d.day)} {_month(d)[:3]} {d.year}",
    lambda d: f"{_weekday(d)}, {d.day} {_month(d)} {d.year}",
    lambda d: f"{_weekday(d)[:3]} {d.day} {_month(d)[:3]} {d.year}",
    lambda d: f"{_month(d)} {d.day}, {d.year}",
    lambda d: f"{_month(d)[:3]}. {d.day}, {d.year}",
    lambda d: f"{d.day}-{_month(d)[:3]}-{d.year}",
    lambda d: f"{d.day}. {d.month}. {d.year}",
    lambda d: f"{d.year}/{d.month}/{d.day}",
)
_CASES: tuple[Callable[[str], str], ...] = (str, str.lower, str.upper)
