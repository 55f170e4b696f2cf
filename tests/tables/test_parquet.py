"""Parquet files with the types of databases, and folders of them."""

from decimal import Decimal

import pandas as pd
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
