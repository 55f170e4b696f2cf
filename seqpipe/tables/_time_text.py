"""Parsing of times from text: ISO 8601 dates, weeks and quarters, elapsed times and clock times; unambiguous only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

from seqpipe.tables._zones import Place, refuse_mixed_zones

__all__ = ["remedy_for", "times_from_text"]

_DATE = r"\d{4}(?:\D.*|\d{4}T.*)?"
_OFFSET = r"[T ]\d{1,2}.*(?:Z|[+-]\d{2}(?::?\d{2})?)$"
_UTC = ("UTC", "GMT", "z")

_CLOCK = r"-?\d+:[0-5]\d"
_CLOCK_WITH_SECONDS = r"-?\d+:[0-5]\d:[0-5]\d(?:\.\d+)?"
#: "1 days 02:00:00", "1 day, 2:00:00", "PT2H", "5 min"
_ELAPSED = r"-?\d+ days?,? .*|-?\d+ ?(?:d|days?|h|hours?|m|min|minutes?|s|sec|seconds?|ms)|-?P[\dT].*"

_WEEK = r"(\d{4})-?W(\d{2})(?:-?([1-7]))?"
_QUARTER = r"(\d{4})[- ]?Q([1-4])|Q([1-4])[- /]?(\d{4})"

_UNCLEAR = [
    (
        r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}\b.*",
        "The order of day and month is ambiguous: write 2024-05-31, as returned by "
        "pd.to_datetime(column, dayfirst=True) or dayfirst=False.",
    ),
    (r".*:60(?:\D.*)?", "Seconds range from 0 to 59: write a leap second as 23:59:59.999."),
    (r".*[T ]24:00.*", "Hours range from 0 to 23: write midnight as 00:00 of the next day."),
    (_CLOCK, "Other cells have seconds, so that the first number may be hours or minutes: write it as 01:30:00."),
]
_FORMS = (
    "Write dates as 2024-05-31 or 2024-05-31T12:00+02:00, weeks as 2024-W05, quarters as 2024Q1, elapsed and clock times as "
    "01:30:00, or numbers; pd.to_datetime reads other forms."
)


def times_from_text(text: pd.Series[Any], place: Place) -> pd.Series[Any]:
    """Parse text as dates or elapsed times, in the format that matches most cells; other cells are missing.

    Times with several UTC offsets are converted to the last one, which does not change the instants.
    """
    best = None
    for times in _readings(text, place):
        if best is None or times.count() > best.count():
            best = times
        if best.notna().all():
            break
    assert best is not None
    return best


def remedy_for(value: object) -> str:
    """Return the remedy for a value that is not a time."""
    found = (remedy for form, remedy in _UNCLEAR if isinstance(value, str) and re.fullmatch(form, value.strip()))
    return next(found, _FORMS)


def _readings(text: pd.Series[Any], place: Place) -> Iterator[pd.Series[Any]]:
    yield _dates(text, place)
    yield _elapsed(text)
    yield _weeks(text)
    yield _quarters(text)


def _dates(text: pd.Series[Any], place: Place) -> pd.Series[Any]:
    written = text.where(text.str.fullmatch(_DATE))
    if written.str.endswith(_UTC, na=False).any():
        written = written.str.replace(rf"\s*(?:{'|'.join(_UTC)})$", "Z", regex=True)
    aware = written.str.contains(_OFFSET, regex=True, na=False).to_numpy(dtype=bool)
    dates: pd.Series[Any] = pd.to_datetime(written, format="ISO8601", utc=True, errors="coerce")
    read = dates.notna().to_numpy(dtype=bool)
    refuse_mixed_zones(text[read], aware[read], lambda i: place(int(read.nonzero()[0][i])))
    if not aware.any():
        return dates.dt.tz_localize(None)
    last = written[read].iloc[-1:]
    return dates.dt.tz_convert(pd.to_datetime(last, format="ISO8601").dt.tz)


def _elapsed(text: pd.Series[Any]) -> pd.Series[Any]:
    clock = text.str.fullmatch(_CLOCK)
    long = text.str.fullmatch(f"{_CLOCK_WITH_SECONDS}|{_ELAPSED}")
    written = text.where(long) if long.any() else (text + ":00").where(clock)
    return pd.to_timedelta(written, errors="coerce")


def _weeks(text: pd.Series[Any]) -> pd.Series[Any]:
    parts = text.str.extract(f"^{_WEEK}$").dropna(subset=[0])
    days = parts[0] + "-" + parts[1] + "-" + parts[2].fillna("1")
    return pd.to_datetime(days, format="%G-%V-%u", errors="coerce").reindex(text.index)


def _quarters(text: pd.Series[Any]) -> pd.Series[Any]:
    parts = text.str.extract(f"^(?:{_QUARTER})$")
    year, quarter = parts[0].fillna(parts[3]).dropna(), parts[1].fillna(parts[2]).dropna()
    month = (3 * quarter.astype("int64") - 2).astype(str)
    return pd.to_datetime(year.astype(str) + "-" + month, format="%Y-%m", errors="coerce").reindex(text.index)
