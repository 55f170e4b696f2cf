"""JSON within limits, and the tables in it."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe.serving._body import parsed, sent_data
from seqpipe.serving._limits import Limits
from seqpipe.serving._refusal import RefusedRequestError

LIMITS = Limits(max_values=50, max_depth=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@settings(max_examples=40)
@given(VALUES, st.booleans())
def test_json_within_limits_is_read_as_python_reads_it(value: Any, ascii: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii).encode(errors="surrogatepass")
    try:
        expected: Any = json.loads(body.decode())
    except UnicodeDecodeError:
        expected = RefusedRequestError
    if depth(value) > LIMITS.max_depth or expected is RefusedRequestError:
        with pytest.raises(RefusedRequestError, match=r"nested brackets|not UTF-8"):
            parsed(body, LIMITS)
    else:
        assert parsed(body, LIMITS) == expected


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "has no body"),
        (b" \n", "has no body"),
        (b"{", "is not JSON"),
        (b'{"a": 1', "is not JSON"),
        (b'{"a": NaN}', "holds NaN, which is not JSON. Send null"),
        (b'{"a": -Infinity}', "holds -Infinity"),
        (b'{"a": 1, "a": 2}', "the field 'a' twice"),
        (b'{"a": "\xff"}', "is not UTF-8: byte 7"),
        ('{"a": 1}'.encode("utf-16"), "is not UTF-8: byte 0"),
        (b'\xef\xbb\xbf{"a": 1}', "is not JSON: Unexpected UTF-8 BOM"),
        (b"[" * 6 + b"]" * 6, "6 nested brackets, more than 5"),
        (b"[" + b"1," * 50 + b"1]", "52 values, more than 50"),
        (b"1" * 5000, "a number that is too long"),
    ],
)
def test_other_bodies_are_refused_with_the_reason(body: bytes, message: str) -> None:
    with pytest.raises(RefusedRequestError, match=message):
        parsed(body, LIMITS)


def test_brackets_and_commas_in_strings_do_not_count() -> None:
    text = '[[[[[[[{{,,,\\"' * 20
    assert parsed(json.dumps([text]).encode(), LIMITS) == [text]


@pytest.mark.parametrize("body", [b'"' + b'\\"' * 500_000, b'["' * 500_000, b'"\\' * 500_000, b"0." + b"1" * 1_000_000])
def test_a_body_is_scanned_in_linear_time(body: bytes) -> None:
    start = time.process_time()
    with suppress(RefusedRequestError):
        parsed(body, LIMITS)
    assert time.process_time() - start < 60  # a scan of quadratic time takes hours


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "one field of .* Got a list instead"),
        ({}, r"Got an object with the fields \(none\) instead"),
        ({"inputs": [1], "instances": [1]}, "Got an object with the fields inputs, instances"),
        ({"inputs": [1], "params": {}}, "Got an object with the fields inputs, params"),
        ({"inputs": None}, "inputs must be a list. Got null instead"),
        ({"inputs": True}, "inputs must be a list. Got true instead"),
        ({"inputs": {"a": 1}}, r"inputs\['a'\] must be a list. Got 1 instead"),
        ({"inputs": {"a": [1], "b": [1, 2]}}, "must be equally long. Their lengths are 1, 2"),
        ({"inputs": []}, "has no samples"),
        ({"inputs": {}}, "has no samples"),
        ({"dataframe_records": []}, "has no samples"),
        ({"dataframe_records": [1]}, r"dataframe_records\[0\] must be an object. Got 1 instead"),
        ({"dataframe_records": [{"a": 1}, {"b": 1}]}, r"\[1\] must be an object with the fields a. Got .* b instead"),
        ({"instances": [{"a": 1}, 2]}, r"instances\[1\] must be an object with the fields a. Got 2 instead"),
        ({"dataframe_split": []}, "must be an object with columns and data. Got a list instead"),
        ({"dataframe_split": {"data": [[1]]}}, "must be an object with columns and data"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}, "a list of different names"),
        ({"dataframe_split": {"columns": [1], "data": [[1]]}}, "a list of different names"),
        (
            {"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}},
            r"data\[0\] must have one value per column, 1. Got 2",
        ),
        ({"dataframe_split": {"columns": ["a"], "data": ["x"]}}, r"data\[0\] must be a list. Got a text instead"),
    ],
)
def test_what_holds_no_input_is_refused_with_the_place(body: Any, message: str) -> None:
    with pytest.raises(RefusedRequestError, match=message):
        sent_data(body)


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"], [2.5, "y"]], "index": [0, 1]}},
        {"dataframe_records": [{"a": 1, "b": "x"}, {"b": "y", "a": 2.5}]},
        {"instances": [{"a": 1, "b": "x"}, {"a": 2.5, "b": "y"}]},
        {"inputs": {"a": [1, 2.5], "b": ["x", "y"]}},
    ],
)
def test_a_table_has_four_forms(body: Any) -> None:
    assert sent_data(body).to_dict("list") == {"a": [1, 2.5], "b": ["x", "y"]}
