"""Parquet files with the types of databases, and folders of them."""

from decimal import Decimal

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import read_table


def test_the_files_of_a_folder_are_one_table_in_the_order_of_their_names(tmp_path):
    for i, name in enumerate(["part-1.parquet", "part-0.parquet", "_hidden.parquet"]):
        pd.DataFrame({"id": ["007"], "x": [float(i)]}).to_parquet(tmp_path / name)
    (tmp_path / "_SUCCESS").touch()
    assert read_table(tmp_path).to_dict("list") == {"id": ["007", "007"], "x": [1.0, 0.0]}


def test_folders_named_after_values_give_a_column(tmp_path):
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": ["01", "02", "01"]})
    frame.to_parquet(tmp_path / "data", partition_cols=["y"])
    assert read_table(tmp_path / "data").to_dict("list") == {"x": [1.0, 3.0, 2.0], "y": ["01", "01", "02"]}


def test_files_of_unlike_columns_are_refused(tmp_path):
    pd.DataFrame({"x": [1.0]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"z": [1.0]}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(InvalidSequencesError, match=r"b\.parquet has the columns z, but .*a\.parquet has x"):
        read_table(tmp_path)


def test_a_folder_without_parquet_files_is_refused(tmp_path):
    with pytest.raises(InvalidSequencesError, match=r"the folder contains no \.parquet files"):
        read_table(tmp_path)


def test_decimals_and_booleans_keep_their_missing_cells(tmp_path):
    table = pa.table({"price": pa.array([Decimal("1.10"), None], pa.decimal128(10, 2)), "open": [True, None]})
    pq.write_table(table, tmp_path / "x.parquet")
    frame = read_table(tmp_path / "x.parquet")
    assert frame["price"].tolist() == [Decimal("1.10"), pd.NA]
    assert frame["open"].tolist() == [True, pd.NA]


TEXTS = ["short", "x" * 5000, None, "y"]


@pytest.mark.parametrize("as_category", [False, True])
def test_a_table_of_repeated_texts_is_read_in_batches_as_it_is_at_once(as_category, tmp_path, monkeypatch):
    texts = pa.array(TEXTS * 500).dictionary_encode()
    n = pa.array(range(2000))
    inner = pa.StructArray.from_arrays([texts.dictionary_decode()], ["a"])
    table = pa.table({"s": texts if as_category else texts.dictionary_decode(), "n": n, "inner": inner})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=700)
    at_once = read_table(tmp_path / "x.parquet")
    monkeypatch.setenv("SEQPIPE_MAX_TABLE", "8MB")  # the texts might take 20 MB, and take 5
    monkeypatch.setattr("pyarrow.parquet.ParquetFile.read", None)
    in_batches = read_table(tmp_path / "x.parquet")
    assert in_batches["s"].astype(object).where(in_batches["s"].notna(), None).tolist() == TEXTS * 500
    assert in_batches.drop(columns="s").equals(at_once.drop(columns="s"))


@pytest.mark.parametrize(
    "columns", [{}, {"x": pa.array([], pa.float64())}, {"n": pa.nulls(0), "s": pa.array([], pa.string())}]
)
def test_a_table_without_rows_is_read(columns, tmp_path):
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    assert read_table(tmp_path / "x.parquet").shape == (0, len(columns))


@pytest.mark.parametrize("compression", ["zstd", "snappy", "gzip", "brotli", "lz4", "uncompressed"])
def test_the_files_of_another_writer_are_read(compression, tmp_path):
    frame = pl.DataFrame(
        {"n": [1, 2, None], "s": ["x", "y", None], "l": [[1.0], [2.0, 3.0], []], "b": [True, False, None]}
    )
    frame.write_parquet(tmp_path / "x.parquet", compression=compression)
    found = read_table(tmp_path / "x.parquet")
    assert found["l"].tolist() == [[1.0], [2.0, 3.0], []]
    assert found["s"].tolist()[:2] == ["x", "y"]


@pytest.mark.parametrize("data_page_version", ["1.0", "2.0"])
@pytest.mark.parametrize("use_dictionary", [True, False])
def test_every_version_of_pages_is_read(data_page_version, use_dictionary, tmp_path):
    table = pa.table({"x": [1, None], "s": ["a", None], "t": pa.array([1, 2], pa.timestamp("us"))})
    options = {"data_page_version": data_page_version, "use_dictionary": use_dictionary}
    pq.write_table(table, tmp_path / "x.parquet", use_deprecated_int96_timestamps=True, **options)
    assert read_table(tmp_path / "x.parquet")["s"].tolist()[0] == "a"


@pytest.mark.parametrize("encoding", ["DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["none", "zstd", "lz4"])
def test_texts_whose_lengths_are_packed_are_read(encoding, version, compression, tmp_path):
    texts = [f"text {i % 37}" * (i % 5) if i % 7 else None for i in range(3000)]
    lists = [None if i % 11 == 0 else [f"token {k}" for k in range(i % 4)] for i in range(3000)]
    columns = {"s": texts, "l": lists, "inner": [{"a": text} for text in texts], "sure": [str(i) for i in range(3000)]}
    schema = pa.schema(
        [
            ("s", pa.string()),
            ("l", pa.list_(pa.string())),
            ("inner", pa.struct([("a", pa.string())])),
            pa.field("sure", pa.string(), nullable=False),
        ]
    )
    encodings = dict.fromkeys(("s", "l.list.element", "inner.a", "sure"), encoding)
    options = {"data_page_version": version, "compression": compression, "data_page_size": 5000}
    table = pa.table(columns, schema=schema)
    pq.write_table(table, tmp_path / "x.parquet", use_dictionary=False, column_encoding=encodings, **options)
    found = read_table(tmp_path / "x.parquet")
    assert pa.Table.from_pandas(found, schema=schema, preserve_index=False).equals(table)


def test_pages_without_checksums_are_read(tmp_path):
    pq.write_table(pa.table({"x": [1.0]}), tmp_path / "x.parquet", write_page_checksum=False)
    assert read_table(tmp_path / "x.parquet")["x"].tolist() == [1.0]
