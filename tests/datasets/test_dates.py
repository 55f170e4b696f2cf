"""Dates in words and in numbers, read back by rules that the data set does not share."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.datasets import load_dates, load_digit_names, load_digits, make_dates
from seqpipe.datasets._dates import _FORMS
from seqpipe.exceptions import InvalidSequencesError

DAYS = st.dates(date(1900, 1, 1), date(2099, 12, 31))


def test_every_day_comes_once_and_a_seed_repeats_itself() -> None:
    X, y = make_dates(3000, random_state=3)
    assert len(set(y)) == 3000
    assert all(date.fromisoformat(day).isoformat() == day for day in y)
    np.testing.assert_array_equal(X, make_dates(3000, random_state=3)[0])
    assert X.tolist() != make_dates(3000, random_state=4)[0].tolist()


@pytest.mark.parametrize(
    ("day", "written"),
    [
        (date(1984, 3, 5), "the fifth of March, nineteen eighty-four"),
        (date(1904, 10, 30), "the thirtieth of October, nineteen oh four"),
        (date(2006, 2, 12), "the twelfth of February, two thousand six"),
        (date(2000, 1, 1), "the first of January, two thousand"),
        (date(1900, 8, 23), "the twenty-third of August, nineteen hundred"),
        (date(2021, 7, 20), "the twentieth of July, twenty twenty-one"),
    ],
)
def test_words_are_those_that_are_said(day: date, written: str) -> None:
    assert _FORMS[0](day) == written


@given(DAYS)
def test_forms_in_numbers_are_read_back_by_pandas(day: date) -> None:
    for form in (3, 5, 6, 7, 8, 9, 10, 12):
        text = _FORMS[form](day)
        if form == 3:  # the day in words
            continue
        assert pd.Timestamp(text.replace(".", "")).date() == day, text
    assert pd.to_datetime(_FORMS[11](day), format="%d. %m. %Y").date() == day


@given(DAYS, DAYS)
def test_no_form_gives_two_days_the_same_text(a: date, b: date) -> None:
    if a != b:
        assert all(form(a) != form(b) for form in _FORMS)


def test_more_days_than_there_are_cannot_be_had() -> None:
    with pytest.raises(InvalidSequencesError, match="from 1 to 73049"):
        make_dates(73050)


def test_the_data_set_has_every_form() -> None:
    dates = load_dates()
    assert len(dates.X) == len(dates.y) == 5000
    assert any(text.isupper() for text in dates.X)
    assert any("-seven" in text for text in dates.X)


def test_the_name_of_a_digit_is_that_of_its_number() -> None:
    names, digits = load_digit_names(), load_digits()
    np.testing.assert_array_equal(names.X, digits.X.reshape(1797, 64))
    assert {int(digit): name for digit, name in zip(digits.y, names.y)} == dict(
        enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    )
