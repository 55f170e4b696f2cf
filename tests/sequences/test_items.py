"""What an array is held to, an item of a list, of an object array, of a Series and of a data frame is held to as well."""

from __future__ import annotations

import datetime as dt
import warnings
from collections import namedtuple
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqpipe import SequenceRegressor, SequenceScaler, StepRegressor
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import as_sequences

STEPS = np.array([1.5, 2.0, 3.25])
OTHER = np.array([0.5, 1.0])
Triple = namedtuple("Triple", ["a", "b", "c"])


def objects(*items: Any) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    return array


CONTAINERS: dict[str, Callable[..., Any]] = {
    "list": lambda *items: list(items),
    "object array": objects,
    "Series": lambda *items: pd.Series(objects(*items)),
    "frame": lambda *items: pd.DataFrame({"sequence": objects(*items)}),
}

#: One sequence of three steps, in any form that holds the numbers of STEPS.
NUMBERS: dict[str, Any] = {
    "array": STEPS,
    "masked nowhere": np.ma.array(STEPS),
    "list": STEPS.tolist(),
    "tuple": tuple(STEPS.tolist()),
    "objects": STEPS.astype(object),
    "float16": STEPS.astype(np.float16),
    "long double": STEPS.astype(np.longdouble),
    "big-endian": STEPS.astype(">f8"),
    "strided": np.repeat(STEPS, 2)[::2],
    "Decimal": [Decimal("1.5"), Decimal(2), Decimal("3.25")],
    "Fraction": [Fraction(3, 2), 2, Fraction(13, 4)],
    "nullable": pd.Series(STEPS, dtype="Float64"),
    "pandas sparse": pd.arrays.SparseArray(STEPS),
    "Arrow column": pd.Series(STEPS, dtype=pd.ArrowDtype(pa.float64())),
    "pyarrow": pa.array(STEPS),
    "pyarrow decimals": pa.array([Decimal("1.50"), Decimal("2.00"), Decimal("3.25")]),
    "pyarrow scalars": list(pa.array(STEPS)),
    "tensor": torch.tensor(STEPS),
    "bfloat16": torch.tensor(STEPS).bfloat16(),
    "float8": torch.tensor(STEPS, dtype=torch.float32).to(torch.float8_e4m3fn),
    "negative view": torch.tensor(-1j * STEPS).conj().imag,
    "tensors of a number": [torch.tensor(value) for value in STEPS],
    "arrays of a number": [np.array(value) for value in STEPS],
}

#: One sequence that is none of real numbers, and the words of its error.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch warns that some kinds of tensors are in development
    REFUSED: dict[str, tuple[Any, str]] = {
        "masked": (np.ma.array(STEPS, mask=[0, 1, 0]), "masked array, with 1 masked values"),
        "masked step": ([np.ma.array([1.5], mask=[1]), np.array([2.0])], "masked array"),
        "masked number": ([1.5, np.ma.masked, 2.0], "masked array"),
        "times": (np.array(["2020-01-01"] * 3, dtype="M8[D]"), "holds times.*elapsed time"),
        "durations": (np.arange(3).astype("m8[s]"), "holds times"),
        "datetimes": ([dt.datetime(2020, 1, i) for i in (1, 2, 3)], "real numbers, got"),
        "timedeltas": ([dt.timedelta(i) for i in (1, 2, 3)], "real numbers, got"),
        "dates": ([dt.date(2020, 1, i) for i in (1, 2, 3)], "real numbers, got"),
        "numpy times": ([np.timedelta64(i, "s") for i in (1, 2, 3)], "holds times|real numbers, got"),
        "zoned times": (pd.date_range("2020", periods=3, tz="UTC"), "holds times"),
        "periods": (pd.period_range("2020", periods=3, freq="D"), "holds times"),
        "NaT": ([pd.NaT] * 3, "NaN"),
        "None": (None, "is None, not a sequence"),
        "None within": ([1.5, None, 2.0], "NaN"),
        "NA within": ([1.5, pd.NA, 2.0], "NaN"),
        "a number": (3.0, "3.0 of type float, not a sequence"),
        "a number as an array": (np.array(3.0), "not a sequence"),
        "a number as a tensor": (torch.tensor(3.0), "not a sequence"),
        "a huge number": ([10**400, 1, 2], "too large for float64: rescale"),
        "a huge long double": ([np.longdouble("1e4000"), np.longdouble(1)], "infinity|too large"),
        "scipy": (scipy.sparse.csr_matrix(STEPS[:, None]), r"sparse.*toarray\(\)"),
        "categories": (pd.Series(["a", "b", "c"], dtype="category"), "holds categories"),
        "numeric categories": (pd.Categorical([1, 2, 3]), "holds categories"),
        "nullable with a gap": (pd.Series([1.5, None, 2], dtype="Float64"), "NaN"),
        "Arrow times": (pa.array([1, 2, 3], type=pa.timestamp("s")), "holds times"),
        "Arrow dictionary": (pa.array(["a", "b"]).dictionary_encode(), "holds categories"),
        "gradients": (torch.tensor(STEPS, requires_grad=True), r"requires gradients.*\.detach\(\)"),
        "parameter": (torch.nn.Parameter(torch.tensor(STEPS)), r"\.detach\(\)"),
        "a step with gradients": ([torch.tensor(1.5, requires_grad=True), torch.tensor(2.0)], r"\.detach\(\)"),
        "sparse tensor": (torch.tensor(STEPS).to_sparse(), r"\.to_dense\(\)"),
        "CSR tensor": (torch.tensor(STEPS[:, None]).to_sparse_csr(), r"\.to_dense\(\)"),
        "quantized": (torch.quantize_per_tensor(torch.ones(3), 0.25, 0, torch.quint8), r"\.dequantize\(\)"),
        "complex tensor": (torch.tensor(STEPS).cfloat(), "is complex"),
        "meta": (torch.zeros(3, device="meta"), r"\.cpu\(\)"),
        "masked tensor": (
            torch.masked.masked_tensor(torch.tensor(STEPS), torch.tensor([True, False, True])),
            r"is masked.*\.to_tensor\(value\)",
        ),
        "several nested": (
            torch.nested.nested_tensor([torch.ones(3), torch.ones(3)]),
            "holds 2 sequences; give it alone",
        ),
        "several packed": (torch.nn.utils.rnn.pack_sequence([torch.ones(3)] * 2), "holds 2 sequences; give it alone"),
        "named tuple": (Triple(1.5, 2.0, 3.25), "a named tuple, Triple"),
        "numbers as texts": (["1.5", "2", "3.25"], "real numbers, got"),
        "an array of texts": (np.array(["1.5", "2", "3.25"]), "real numbers, got dtype <U4"),
        "a text among objects": (np.array(["1.5", 2, 3.25], dtype=object), "real numbers, got '1.5'"),
        "bytes": (np.array([b"1", b"2"]), "real numbers, got dtype"),
        "complex": (STEPS.astype(complex), "Complex data not supported"),
        "records": (np.array([(1.0, 2)], dtype=[("a", float), ("b", int)]), "real numbers, got dtype"),
        "range": (range(3), "type range, not a sequence"),
        "dict": ({"a": 1.5}, "type dict, not a sequence"),
        "an object": (object(), "type object, not a sequence"),
    }

pytestmark = [
    pytest.mark.filterwarnings("ignore:The PyTorch API of (nested|MaskedTensors)"),
    pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor|.*quantization|Sparse CSR tensor"),
    pytest.mark.skipif(int(pd.__version__.split(".")[0]) < 3, reason="before version 3 pandas cannot hold all objects"),
]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_of_any_kind_are_the_same_in_every_container(kind: str, container: str) -> None:
    for items, i in (((NUMBERS[kind], OTHER), 0), ((OTHER, NUMBERS[kind]), 1), ((NUMBERS[kind],), 0)):
        found = as_sequences(CONTAINERS[container](*items))
        assert len(found) == len(items)
        np.testing.assert_array_equal(found[i].ravel(), STEPS)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_sequence_of_numbers_is_refused_in_every_container(kind: str, container: str) -> None:
    item, words = REFUSED[kind]
    with pytest.raises(InvalidSequencesError, match=f"(?s)sample 1.*{words}|{words}.*sample 1"):
        as_sequences(CONTAINERS[container](OTHER, item))


@given(st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=4), min_size=1, max_size=5), st.data())
def test_sequences_of_mixed_kinds_are_those_of_arrays(values: list[list[float]], data: st.DataObject) -> None:
    kinds: list[Callable[[list[float]], Any]] = [
        list,
        np.array,
        torch.tensor,
        pa.array,
        lambda v: np.array(v, dtype=object),
        lambda v: pd.Series(v, dtype="Float64"),
        lambda v: [np.float32(each) for each in v],
        lambda v: np.ma.array(v),
    ]
    made = [data.draw(st.sampled_from(kinds))(each) for each in values]
    assert as_sequences(made) == as_sequences([np.array(each)[:, None] for each in values])


# ---- a table, or one array for all sequences

TABLE = np.arange(40.0).reshape(10, 4)


def with_one(value: Any) -> np.ndarray:
    table = TABLE.astype(object)
    table[3, 1] = value
    return table


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (TABLE.astype(str), "real numbers, got dtype <U"),
        (TABLE.astype("S"), "real numbers, got dtype"),
        (TABLE.astype("m8[s]"), "holds times"),
        (TABLE.astype(complex), "Complex data not supported"),
        (with_one("1.5"), "sample 3, step 1 must hold real numbers, got '1.5'"),
        (with_one(10**400), "sample 3, step 1 is a number too large for float64"),
        (with_one(dt.timedelta(1)), "sample 3, step 1 must hold real numbers"),
        (with_one(None), "NaN: sample 3, step 1"),
        (with_one(np.ma.masked), "NaN: sample 3, step 1"),
        (with_one(pd.NaT), "NaN: sample 3, step 1"),
        ([*TABLE[:3].tolist(), [0.0, np.timedelta64(1, "s"), 0.0, 0.0]], "sample 3.* (times|real numbers)"),
        (np.ma.masked_equal(TABLE, 13), r"masked array.*\[3, 1\]"),
        (pd.DataFrame(TABLE).astype("category"), "column 0 holds categories"),
        (pd.DataFrame(TABLE).astype("Float64").mask(pd.DataFrame(TABLE) == 13), "NaN: sample 3, step 1"),
        (pd.DataFrame(TABLE).astype("string"), "column 0 holds texts"),
        (scipy.sparse.csr_matrix(TABLE), "sparse"),
        (np.array(1.0), "X must be an array"),
        (torch.tensor(1.0), "X must be an array"),
    ],
)
def test_a_table_is_held_to_the_same_checks_by_estimators_and_transformers(bad: Any, words: str) -> None:
    for model in (SequenceRegressor(hidden_size=2, max_epochs=1), SequenceScaler()):
        with pytest.raises(InvalidSequencesError, match=f"(?s){words}"):
            model.fit(bad, np.arange(10.0))


@pytest.mark.parametrize("kind", [kind for kind in REFUSED if not kind.startswith("a number")])
def test_a_stream_is_held_to_the_same_checks(kind: str) -> None:
    stream = StepRegressor(hidden_size=2, max_epochs=1, random_state=0).fit(TABLE[:, :, None], TABLE).stream()
    item = REFUSED[kind][0]
    with pytest.raises(InvalidSequencesError):
        stream.push([[each] for each in item] if isinstance(item, list) else item)
    assert stream.n_steps == 0


def test_a_stream_takes_a_number_as_a_step_of_one_feature() -> None:
    model = StepRegressor(hidden_size=2, max_epochs=1, random_state=0).fit(TABLE[:, :, None], TABLE)
    one, other = model.stream(), model.stream()
    for number in (1, 2.5, np.float32(3), torch.tensor(4.0), np.array(5.0)):
        assert one.push(number) == other.push([float(number)])


# ---- targets


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (3.0, r"y must have shape \(n_samples,\)"),
        (TABLE[:, 0].astype("m8[s]"), "y holds times"),
        (TABLE[:, 0].astype(complex), "Complex data not supported"),
        (TABLE[:, 0].astype(str), "y must hold real numbers"),
        (with_one(10**400)[:, 1], "sample 3 is a number too large for float64"),
        (np.ma.masked_equal(TABLE[:, 1], 13), "y is a masked array"),
        (torch.tensor(TABLE[:, 0], requires_grad=True), r"y is a tensor .*\.detach\(\)"),
        (
            pd.DataFrame({"t": pd.date_range("2020", periods=10), "v": TABLE[:, 0]}),
            "y has columns of types that cannot be combined, 't': datetime64",
        ),
        (torch.nn.utils.rnn.pack_sequence([torch.ones(2)] * 10), "y must have one entry per sample. Got sequences"),
    ],
)
def test_targets_that_are_no_numbers_are_refused(y: Any, words: str) -> None:
    with pytest.raises(InvalidSequencesError, match=words):
        SequenceRegressor(hidden_size=2, max_epochs=1).fit(TABLE[:, :, None], y)
