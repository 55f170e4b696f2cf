"""The metadata of Parquet files, read without pyarrow."""

import contextlib
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.tables._thrift import EndOfData, read_struct


def footer(table, **options):
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    whole = file.getvalue()
    return whole[-8 - int.from_bytes(whole[-8:-4], "little") : -8], pq.ParquetFile(file).metadata


def test_the_metadata_of_a_file_is_what_pyarrow_reads():
    table = pa.table({"x": [1.5, None] * 50, "s": ["a", "b"] * 50, "l": [[True], []] * 50})
    content, metadata = footer(table, row_group_size=30)
    found, end = read_struct(content)
    assert end == len(content)
    assert (found[3], len(found[4])) == (metadata.num_rows, metadata.num_row_groups)
    assert found[6].decode() == metadata.created_by
    for group, ours in enumerate(found[4]):
        for i, column in enumerate(ours[1]):
            theirs = metadata.row_group(group).column(i)
            assert column[3][5] == theirs.num_values
            assert column[3][7] == theirs.total_compressed_size
            assert b".".join(column[3][3]).decode() == theirs.path_in_schema


def test_metadata_that_ends_early_is_told_from_any_other_damage():
    content, _ = footer(pa.table({"x": [1]}))
    for length in range(len(content)):
        with pytest.raises(EndOfData, match="the metadata ends early"):
            read_struct(content[:length])


@given(st.binary(max_size=80))
def test_any_bytes_are_a_struct_or_an_error_of_ours(content):
    with contextlib.suppress(ValueError):
        assert read_struct(content)[1] <= len(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x15\x02\x05\x02\x04\x00", "has field 1 twice"),
        (b"\x1d\x00", "of the unknown type 13"),
        (b"\x15" + b"\xff" * 20, "a number of more than 64 bits"),
    ],
)
def test_damage_is_named(content, message):
    with pytest.raises(ValueError, match=message):
        read_struct(content)
