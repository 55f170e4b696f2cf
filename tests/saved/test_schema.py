"""Schemas of what saved objects may hold."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seqpipe.saved import (
    AnyOf,
    ArrayOf,
    ArrayOutline,
    Entries,
    Flag,
    Function,
    FunctionOutline,
    Inert,
    Instance,
    Items,
    Nothing,
    Number,
    Numbering,
    ObjectOutline,
    Plain,
    Record,
    StateError,
    SubclassOf,
    TextOf,
    TypeOutline,
    Whole,
    optional,
)

FUNCTION = FunctionOutline("numpy.exp")


@pytest.mark.parametrize(
    ("schema", "allowed", "refused"),
    [
        (Nothing(), [None], [0, False, ""]),
        (Flag(), [True, np.bool_(False)], [1, 0, None, "yes"]),
        (Whole(1, 5), [1, 5, np.int64(3)], [0, 6, 2.0, True, "3", None]),
        (Number(0, 1), [0, 0.5, np.float32(1)], [-0.1, math.nan, math.inf, True, "0"]),
        (Number(finite=False), [math.nan, math.inf, 1], [None, "nan", 10**400]),
        (TextOf(), ["", "a" * 1000], ["a" * 1001, b"a", 5]),
        (TextOf(among=("a", "b")), ["a"], ["ab", "c"]),
        (TextOf(pattern=r"\w+"), ["ab1"], ["a/b", "", "a\n"]),
        (
            ArrayOf("f", 2),
            [np.ones((2, 3)), ArrayOutline(np.dtype("f4"), (1, 1))],
            [np.ones(3), np.ones((1, 1), int), [1.0]],
        ),
        (ArrayOf("O"), [np.array(["a", 1, None], object)], [np.array([print], object)]),
        (Items(Whole(), most=2), [[], [1, 2], (1,)], [[1, 2, 3], ["a"], {1}, "12"]),
        (Entries(Whole()), [{}, {"a": 1}], [{1: 1}, {"a": "b"}, [1]]),
        (AnyOf((Whole(), TextOf())), [1, "a"], [1.5, None]),
        (AnyOf((Items(Whole()), Items(TextOf()))), [[1], ["a"]], [[1.5], [1, "a"]]),
        (optional(Whole()), [None, 1], ["a"]),
        (Instance(int), [1, ObjectOutline(bool)], ["a", ObjectOutline(str)]),
        (SubclassOf(int), [bool, TypeOutline(int)], [str, TypeOutline(str), 1]),
        (Function(("numpy.",)), [FUNCTION], [FunctionOutline("os.system"), np.exp]),
        (
            Plain(),
            [None, 1, 1.5, "a", [1, {"a": (2,)}], np.ones(2)],
            [2**31, "a" * 1001, {1}, print, [print], FUNCTION],
        ),
        (Plain(texts=False), [1], ["a", ["a"]]),
        (
            Inert(),
            [1, "a", {1}, slice(1), ObjectOutline(str), TypeOutline(str)],
            [print, FUNCTION, [FUNCTION], {"a": FUNCTION}],
        ),
        (Numbering(), [{}, {"a": 1, "b": 0}], [{"a": 1}, {"a": 0, "b": 0}, {"a": 0.0}, {"a": False}, [0]]),
        (
            Record({"a": Whole()}, {"b": Flag()}),
            [{"a": 1}, {"a": 1, "b": True}],
            [{}, {"b": True}, {"a": 1, "c": 1}, {"a": "x"}],
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, list) else "",
)
def test_a_schema_tells_what_is_allowed(schema, allowed, refused):
    for value in allowed:
        schema.check(value, "it")
    for value in refused:
        with pytest.raises(StateError, match=r"^it"):
            schema.check(value, "it")


def test_an_error_names_the_place_and_what_it_must_be():
    with pytest.raises(StateError, match=r"^sizes\['n'\]\[1\] must be an integer from 0 to 9\. Got -1 instead\.$"):
        Entries(Items(Whole(0, 9))).check({"n": [3, -1]}, "sizes")
