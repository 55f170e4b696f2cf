"""The JSON of a request: read within limits, and converted to a table or nested lists."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from seqpipe.serving._limits import Limits
from seqpipe.serving._refusal import RefusedRequestError

__all__ = ["FIELDS", "parsed", "sent_data"]

#: The fields that hold the input, one of them per request; the same as of MLflow's server.
FIELDS = ("dataframe_split", "dataframe_records", "instances", "inputs")

#: A string, or the beginning of one. Possessive quantifiers do not backtrack: matching takes linear time and no memory.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_OPENING, _CLOSING, _COMMA = b"[{", b"]}", b","
_NO_STRUCTURE = bytes(set(range(256)) - {*_OPENING, *_CLOSING, *_COMMA})


def parsed(body: bytes, limits: Limits) -> Any:
    """Return the value of a JSON text.

    Raises
    ------
    RefusedRequestError
        If it is not JSON in UTF-8, has too many values or too deep brackets, a duplicate key, NaN or an infinity.
    """
    if not body.strip():
        raise RefusedRequestError(
            400, f"The request has no body. Send JSON with one of the fields {', '.join(FIELDS)}."
        )
    _check_size(body, limits)
    try:
        return json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise RefusedRequestError(400, f"The body is not UTF-8: byte {error.start} cannot be decoded.") from error
    except json.JSONDecodeError as error:
        raise RefusedRequestError(400, f"The body is not JSON: {error}.") from error
    except RefusedRequestError:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise RefusedRequestError(400, f"The body holds a number that is too long: {error}.") from error


def _check_size(body: bytes, limits: Limits) -> None:
    """Check the numbers of values and nested brackets before any object is created."""
    structure = np.frombuffer(_STRING.sub(b"", body).translate(None, _NO_STRUCTURE), dtype=np.uint8)
    opening = np.isin(structure, [*_OPENING])
    depth = np.cumsum(opening.astype(np.int32) - np.isin(structure, [*_CLOSING]))
    if structure.size and depth.max() > limits.max_depth:
        raise RefusedRequestError(
            400, f"The body has {depth.max():,} nested brackets, more than {limits.max_depth}. Input has four at most."
        )
    n_values = 1 + int(opening.sum()) + int((structure == ord(_COMMA)).sum())
    if n_values > limits.max_values:
        raise RefusedRequestError(
            413, f"The body has {n_values:,} values, more than {limits.max_values:,}. Send fewer samples per request."
        )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise RefusedRequestError(400, f"The body has the field {twice[:100]!r} twice in one object. Give it once.")
    return found


def _no_number(text: str) -> NoReturn:
    raise RefusedRequestError(400, f"The body holds {text}, which is not JSON. Send null for a missing value.")


def sent_data(body: Any) -> Any:
    """Return the input in a request: a table, or nested lists.

    Raises
    ------
    RefusedRequestError
        If there is not exactly one field with the input, or it has another form.
    """
    given = [name for name in FIELDS if isinstance(body, dict) and name in body]
    if len(given) != 1 or len(body) != 1:
        found = f"an object with the fields {_named(body)}" if isinstance(body, dict) else _kind(body)
        raise RefusedRequestError(
            400, f"The body must be an object with one field of {', '.join(FIELDS)}. Got {found} instead."
        )
    [name] = given
    value = body[name]
    match name:
        case "dataframe_split":
            return _split(value)
        case "dataframe_records":
            return _records(_list(value, name), name)
        case "inputs" if isinstance(value, dict):
            return _columns({column: _list(cells, f"inputs[{column!r}]") for column, cells in value.items()})
    cells = _list(value, name)
    if not cells:
        raise RefusedRequestError(400, "The request has no samples. Send one at least.")
    return _records(cells, name) if isinstance(cells[0], dict) else cells


def _split(value: Any) -> pd.DataFrame:
    if not isinstance(value, dict) or not {"columns", "data"} <= value.keys() <= {"columns", "data", "index"}:
        raise RefusedRequestError(
            400, f"dataframe_split must be an object with columns and data. Got {_kind(value)} instead."
        )
    names = _list(value["columns"], "columns")
    wrong = next((name for name in names if not isinstance(name, str)), None)
    if wrong is not None or len(set(map(str, names))) < len(names):
        raise RefusedRequestError(400, "columns must be a list of different names.")
    rows = _list(value["data"], "data")
    for i, row in enumerate(rows):
        if len(_list(row, f"data[{i}]")) != len(names):
            raise RefusedRequestError(
                400, f"data[{i}] must have one value per column, {len(names)}. Got {len(row)} instead."
            )
    return _columns({name: [row[i] for row in rows] for i, name in enumerate(names)})


def _records(rows: list[Any], name: str) -> pd.DataFrame:
    for i, row in enumerate(rows):
        if not isinstance(row, dict) or row.keys() != rows[0].keys():
            fields = f"an object with the fields {_named(rows[0])}" if isinstance(rows[0], dict) else "an object"
            raise RefusedRequestError(400, f"{name}[{i}] must be {fields}. Got {_kind(row)} instead.")
    return _columns({column: [row[column] for row in rows] for column in (rows[0] if rows else ())})


def _columns(columns: dict[str, list[Any]]) -> pd.DataFrame:
    lengths = {name: len(cells) for name, cells in columns.items()}
    if len(set(lengths.values())) > 1:
        raise RefusedRequestError(
            400, f"The columns must be equally long. Their lengths are {_named(lengths.values())}."
        )
    if not any(lengths.values()):
        raise RefusedRequestError(400, "The request has no samples. Send one at least.")
    return pd.DataFrame({name: _series(cells) for name, cells in columns.items()})


def _series(cells: list[Any]) -> pd.Series:
    """Return a column; other than pandas does, true and false are no numbers."""
    if set(map(type, cells)) <= {int, float}:
        try:
            return pd.Series(np.array(cells))
        except OverflowError:
            pass
    return pd.Series(cells, dtype=object)


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise RefusedRequestError(400, f"{place} must be a list. Got {_kind(value)} instead.")
    return value


def _kind(value: Any) -> str:
    match value:
        case dict():
            return f"an object with the fields {_named(value)}"
        case list():
            return "a list"
        case str():
            return "a text"
        case None:
            return "null"
    return str(value).lower()[:100]


def _named(names: Any) -> str:
    shown = [str(name)[:50] for name in names]
    return (", ".join(shown[:10]) + (", …" if len(shown) > 10 else "")) or "(none)"
