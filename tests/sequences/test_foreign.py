"""What other libraries hold is read as what it means, with its names, or refused with what to do."""

from __future__ import annotations

from collections import namedtuple
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_sequence

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences, as_sequences, readable, recorded

rng = np.random.default_rng(0)
PARTS = [rng.normal(size=(n, 2)) for n in (4, 7, 2, 7)]
TENSORS = [torch.from_numpy(part) for part in PARTS]
WIDE = pd.DataFrame(rng.normal(size=(3, 2)), columns=["t0", "t1"])
LISTS = [[1.0, 2.0], [3.0], [4.0, 5.0, 6.0]]

Pair = namedtuple("Pair", ["X", "y"])


# ---- tensors


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.booleans())
def test_a_packed_sequence_is_unpacked_in_the_order_in_which_it_was_packed(lengths: list[int], flat: bool) -> None:
    parts = [torch.randn(n) if flat else torch.randn(n, 3) for n in lengths]
    expected = Sequences.from_arrays([part.numpy().reshape(len(part), -1) for part in parts])
    assert as_sequences(pack_sequence(parts, enforce_sorted=False)) == expected


def test_a_packed_sequence_that_was_sorted_beforehand_is_unpacked() -> None:
    falling = sorted(TENSORS, key=len, reverse=True)
    assert as_sequences(pack_sequence(falling)) == Sequences.from_arrays([part.numpy() for part in falling])


def built(make: Any, data: Any) -> Any:
    """Return what pandas makes of data; before version 3 it cannot hold all objects."""
    try:
        return make(data)
    except (OverflowError, RuntimeError, TypeError) as error:
        if int(pd.__version__.split(".")[0]) >= 3:
            raise
        pytest.skip(f"pandas {pd.__version__} cannot hold it: {error}")


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_a_nested_tensor_is_the_list_of_its_parts(layout: torch.layout) -> None:
    assert as_sequences(torch.nested.nested_tensor(TENSORS, layout=layout)) == Sequences.from_arrays(PARTS)


def test_a_tensor_of_a_type_that_numpy_lacks_keeps_its_values() -> None:
    halves = torch.arange(12.0).reshape(2, 3, 2).bfloat16()
    np.testing.assert_array_equal(as_sequences(halves).values.reshape(-1), np.arange(12))


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.ones(2, 3, 1, requires_grad=True), r"requires gradients.*\.detach\(\)"),
        (torch.ones(2, 3, 1, device="meta"), r"on the device 'meta'.*\.cpu\(\)"),
        (torch.ones(2, 3).to_sparse(), r"sparse.*\.to_dense\(\)"),
        (torch.ones(2, 3, 1, dtype=torch.complex64), "is complex"),
    ],
    ids=["gradients", "device", "sparse", "complex"],
)
@pytest.mark.parametrize(
    "make", [lambda t: t, lambda t: [t, t], lambda t: built(pd.Series, [t, t])], ids=["alone", "list", "Series"]
)
def test_a_tensor_that_is_not_plain_numbers_in_memory_is_refused(make: Any, tensor: torch.Tensor, words: str) -> None:
    with pytest.raises(InvalidSequencesError, match=f"(?s)X.*{words}"):
        as_sequences(make(tensor))


# ---- collections that are no list of sequences


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (Pair(PARTS, [0, 1, 0, 1]), r"a named tuple, Pair\('X', 'y'\).*give one of its fields"),
        (
            (np.ones((4, 3, 1)), np.arange(4)),
            r"tuple of 2 items that are not sequences of one kind.*X and y as two arguments",
        ),
        ((PARTS, [0, 1, 0, 1]), "X and y as two arguments"),
        (torch.ones(2, 3).max(dim=1), "a named tuple, max"),
        (torch.utils.data.TensorDataset(torch.ones(4, 3)), "TensorDataset: give the tensors"),
        (scipy.sparse.csr_matrix(np.eye(3)), r"sparse.*toarray\(\)"),
        (scipy.sparse.dok_array(np.eye(3)), r"sparse.*toarray\(\)"),
        (xr.Dataset({"a": ("t", [1.0, 2.0])}), r"xarray\.Dataset.*to_dataarray\(\)"),
        (pl.DataFrame({"a": [1.0]}).lazy(), "LazyFrame.*collect it"),
        (pl.Series([Pair(1, 2)], dtype=pl.Object), "Python objects"),
    ],
    ids=["namedtuple", "arrays", "lists", "of torch", "Dataset", "csr", "dok", "xarray", "lazy", "objects"],
)
def test_a_collection_that_is_no_list_of_sequences_is_refused_with_the_remedy(bad: Any, words: str) -> None:
    with pytest.raises(InvalidSequencesError, match=words):
        readable(bad)


def test_a_tuple_of_sequences_is_a_list_of_them() -> None:
    assert as_sequences(tuple(PARTS)) == Sequences.from_arrays(PARTS)


# ---- tables


@pytest.mark.parametrize(
    "make",
    [
        pl.from_pandas,
        pa.Table.from_pandas,
        pa.RecordBatch.from_pandas,
        lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
        lambda frame: frame.convert_dtypes(),
        lambda frame: frame.map(lambda value: Decimal(repr(value))),
        lambda frame: xr.DataArray(frame.to_numpy(), dims=["s", "t"], coords={"t": [*frame.columns]}),
    ],
    ids=["polars", "pyarrow", "batch", "Arrow columns", "nullable", "Decimal", "xarray"],
)
def test_a_table_of_another_library_keeps_its_numbers_and_the_names_of_its_columns(make: Any) -> None:
    found = readable(make(WIDE))
    assert [*found.columns] == [*WIDE.columns]
    assert all(dtype == np.float64 for dtype in found.dtypes)
    np.testing.assert_array_equal(found.to_numpy(), WIDE.to_numpy())


@pytest.mark.parametrize(
    "make",
    [
        pl.Series,
        pa.array,
        lambda v: pa.chunked_array([v]),
        lambda v: pl.DataFrame({"sequence": v}),
        lambda v: pd.Series(pd.array(v, pd.ArrowDtype(pa.list_(pa.float64())))),
    ],
    ids=["polars", "pyarrow", "chunks", "frame", "Arrow column"],
)
def test_a_column_of_lists_is_one_sequence_a_row(make: Any) -> None:
    assert [*map(len, as_sequences(make(LISTS)))] == [2, 1, 3]
    np.testing.assert_array_equal(as_sequences(make(LISTS)).values[:, 0], np.arange(1.0, 7))


def test_a_data_array_of_three_dimensions_keeps_the_names_of_features() -> None:
    cube = xr.DataArray(np.ones((2, 3, 2)), dims=["s", "t", "f"], coords={"f": ["u", "v"]})
    assert as_sequences(cube).feature_names == ("u", "v")


def test_a_list_of_polars_frames_keeps_the_names_of_features() -> None:
    frames = [pl.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}), pl.DataFrame({"a": [5.0], "b": [6.0]})]
    found = as_sequences(frames)
    assert found.feature_names == ("a", "b")
    np.testing.assert_array_equal(found.values, [[1, 3], [2, 4], [5, 6]])


def test_a_long_table_of_polars_becomes_sequences() -> None:
    long = pl.DataFrame({"id": ["a", "a", "b"], "t": [0, 1, 0], "v": [1.0, 2.0, 3.0]})
    found = Sequences.from_frame(long, by="id", order="t")
    assert found.ids.tolist() == ["a", "b"]
    assert found.values[:, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pd.Categorical(["a", "b"]), "column 's' holds categories"),
        (pd.Categorical([1, 2]), "column 's' holds categories"),
        (pd.array(["a", "b"], dtype="string"), "column 's' holds texts"),
        (pd.array(["a", "b"], dtype="string[pyarrow]"), "column 's' holds texts"),
        (np.array(["1", 2], dtype=object), "sample 0, column 's' must hold real numbers, got '1'"),
        (pd.date_range("2024", periods=2), "column 's' holds times"),
        (pd.date_range("2024", periods=2, tz="Europe/Berlin"), "column 's' holds times"),
        (pd.period_range("2024", periods=2), "column 's' holds times"),
        (pd.array([1, 2], dtype=pd.ArrowDtype(pa.duration("s"))), "column 's' holds times"),
        (np.array([1j, 2]), "column 's' must hold real numbers"),
        (np.array([10**400, 1], dtype=object), "sample 0, column 's' is a number too large"),
    ],
    ids=lambda value: str(getattr(value, "dtype", ""))[:20],
)
def test_a_column_that_holds_no_numbers_is_refused_by_name(column: Any, words: str) -> None:
    with pytest.raises(InvalidSequencesError, match=words):
        readable(built(pd.DataFrame, {"v": [1.0, 2.0], "s": column}))


# ---- lists


@pytest.mark.parametrize("equal", [False, True], ids=["ragged", "equal"])
@pytest.mark.parametrize(
    ("item", "words"),
    [
        (np.ma.masked_greater(np.arange(3.0), 1), "is a masked array, with 1 masked values"),
        (np.arange(3).astype("M8[D]"), "holds times"),
        (np.arange(3).astype("m8[s]"), "holds times"),
        (pd.Series(pd.date_range("2024", periods=3)), "holds times"),
        (pd.Categorical([1, 2, 3]), "holds categories"),
        (pd.Series(pd.Categorical([1, 2, 3])), "holds categories"),
        (None, "is None, not a sequence"),
        (3.0, "is 3.0 of type float, not a sequence"),
        ("abc", "is 'abc' of type str, not a sequence"),
        ({1.0, 2.0, 3.0}, "not a sequence"),
        ({"a": 1.0}, "not a sequence"),
        ((x for x in range(3)), "not a sequence"),
        (scipy.sparse.csr_matrix(np.eye(3)), "is sparse"),
        (np.array(["a", "b", "c"]), "must hold real numbers"),
        (np.ones(3) * 1j, "must hold real numbers"),
        ([1.0, "2", 3.0], "must hold real numbers"),
        (np.array([1.0, "2", 3.0], dtype=object), "step 1 must hold real numbers, got '2'"),
        ([1.0, 10**400, 3.0], "step 1 is a number too large for float64"),
        ([1.0, {2.0}, 3.0], "step 1 must hold real numbers"),
        (torch.ones(3, requires_grad=True), "requires gradients"),
        (pl.Series(["a", "b", "c"]), "holds texts"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_list_is_held_to_what_an_array_is_held_to(item: Any, words: str, equal: bool) -> None:
    first = np.arange(3.0) if equal else np.arange(5.0)
    for X in ([first, item], built(pd.Series, [first, item])):
        with pytest.raises(InvalidSequencesError, match=f"sample 1.*{words}"):
            as_sequences(readable(X))


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT], ids=str)
@pytest.mark.parametrize(
    "make",
    [list, lambda v: np.array(v, dtype=object), pd.Series, lambda v: [[x] for x in v]],
    ids=["list", "objects", "Series", "rows"],
)
def test_a_missing_value_is_named_with_its_place(make: Any, missing: Any) -> None:
    with pytest.raises(InvalidSequencesError, match="NaN: sample 1, step 2, feature 0"):
        as_sequences([[1.0], make([1.0, 2.0, missing])])


@pytest.mark.parametrize(
    "dtype", ["Int64", "Float64", "boolean", "int64[pyarrow]", "double[pyarrow]", "bool[pyarrow]", "Float32"]
)
def test_a_list_of_nullable_series_is_numbers(dtype: str) -> None:
    found = as_sequences([pd.Series([1, 0, 1]).astype(dtype), pd.Series([1]).astype(dtype)])
    assert found.values[:, 0].tolist() == [1, 0, 1, 1]


# ---- records


def test_data_of_another_library_is_recorded_as_the_same_of_pandas() -> None:
    pd.testing.assert_frame_equal(recorded(pl.from_pandas(WIDE)), WIDE)
    assert recorded(pl.Series(["a", None])).tolist() == ["a", None]
    assert recorded(pack_sequence(TENSORS, enforce_sorted=False)) == Sequences.from_arrays(PARTS)
    assert recorded(PARTS) is PARTS
