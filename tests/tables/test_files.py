"""CSV and Parquet files, valid and damaged."""

import contextlib
import csv
import random

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import as_sequences, sequences_from_arrow, sequences_from_frame
from seqpipe.tables import read_table


@pytest.fixture
def written(tmp_path):
    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_rows_are_called_by_the_line_they_begin_on(written):
    frame = read_table(written('a,b\n1,"two\nlines"\n\n3,x\n'))
    assert frame.index.name == "line"
    assert frame.index.tolist() == [2, 5]
    assert frame["a"].tolist() == [1, 3]


def test_a_fault_in_a_csv_is_found_by_its_line(written):
    path = written("id,t,x\na,0,1\na,1,\na,2,3\n")
    with pytest.raises(InvalidSequencesError, match="id 'a', line 3, column 'x': the value is missing"):
        sequences_from_frame(read_table(path), by="id", order="t")


def test_a_byte_order_mark_and_windows_line_ends_are_taken(written):
    frame = read_table(written(b'\xef\xbb\xbf"a",b\r\n1,2\r\n'))
    assert frame.columns.tolist() == ["a", "b"]
    assert frame.to_numpy().tolist() == [[1, 2]]


def test_quotes_inside_a_cell_and_quoted_commas_are_taken(written):
    assert read_table(written('a,b\n5" pipe,"1,5"\n'))["a"].tolist() == ['5" pipe']


def test_blank_lines_are_skipped_and_empty_cells_are_not(written):
    assert read_table(written('a\n1\n\n  \n""\n4\n')).index.tolist() == [2, 5, 6]


@pytest.mark.parametrize("word", ["NA", "N/A", "NaN", "nan", "None", "null", "NULL"])
def test_words_for_nothing_are_text_among_text_and_missing_among_numbers(written, word):
    frame = read_table(written(f"label,only,x,n\n{word},{word},{word},1\nu,{word},2.5,2\n,,,3\n"))
    assert frame["label"].tolist()[:2] == [word, "u"]
    assert frame["only"].tolist()[:2] == [word, word]
    assert frame[["label", "only"]].isna().to_numpy().tolist() == [[False, False], [False, False], [True, True]]
    assert np.array_equal(frame["x"], [np.nan, 2.5, np.nan], equal_nan=True)
    assert frame["n"].dtype == np.int64


def test_numbers_beside_other_words_stay_text(written):
    assert read_table(written("x\n1\nNA\nhigh\n"))["x"].tolist() == ["1", "NA", "high"]


def test_a_header_alone_is_a_table_without_rows(written):
    assert read_table(written("a,b\n")).shape == (0, 2)


def test_the_limit_of_the_csv_module_stays_as_it_was(written):
    before = csv.field_size_limit()
    assert read_table(written("a\n" + "x" * 200_000 + "\n")).shape == (1, 1)
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n3,\x004\n", "table.csv:3: the line contains a NUL byte"),
        (b"a,b\n1,2\n1,2,3\n", r"table.csv:3: the row has 3 cell\(s\) where the header has 2"),
        (b"a,b\n1\n", r"table.csv:2: the row has 1 cell\(s\) where the header has 2"),
        (b'a,b\n"x\ny",1\n2\n', "table.csv:4: the row has 1"),
        (
            b"a,b\n1,2\n" + b"x" * 10_000_000 + b",2\n",
            "table.csv:3: the row is malformed .*up to 1048576 characters",
        ),
        (
            b'a,b\n1,2\n3,"4\n5,6\n',
            "table.csv:3: the row is malformed .*every opening quote needs a closing one",
        ),
        (b'a,b\n"1"2,3\n', "table.csv:2: the row is malformed"),
        (b"a,b\r1,2\r", "table.csv:1: the line has a carriage return without a line feed.*old Macs"),
        (b"a,b\n\xff,2\n", "table.csv:2: the line is not UTF-8 .*Save it as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "table.csv:1: the line is not UTF-8"),
        (b"a,b,a\n1,2,3\n", r"table.csv:1: the column names \['a'\] occur more than once"),
        (b"", "table.csv: the file is empty"),
        (b"\xef\xbb\xbf\n\n", "table.csv: the file is empty"),
    ],
    ids=[
        *("nul", "too many", "too few", "after lines", "long", "open quote", "quote"),
        *("mac", "latin", "utf-16", "twice", "empty", "blank"),
    ],
)
def test_a_broken_csv_is_refused_with_the_line(written, content, message):
    with pytest.raises(InvalidSequencesError, match=message):
        read_table(written(content))


@given(content=st.binary(max_size=60) | st.text(alphabet='a1,"\n\r\0é\ufeff ', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused_in_our_words(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_bytes(content)
    with contextlib.suppress(InvalidSequencesError):
        assert read_table(path).index.name == "line"


@given(
    st.lists(
        st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.text(alphabet='xyz,"\n é', min_size=1)),
        min_size=1,
        max_size=8,
    )
)
def test_what_pandas_wrote_is_read_back(tmp_path_factory, rows):
    frame = pd.DataFrame(rows, columns=["a", "b"]).astype({"a": float})
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    frame.to_csv(path, index=False)
    back = read_table(path)
    assert np.allclose(back["a"], frame["a"], rtol=1e-12)
    assert back["b"].tolist() == frame["b"].tolist()


def test_a_missing_file_a_folder_and_an_unknown_suffix_are_refused(tmp_path):
    with pytest.raises(InvalidSequencesError, match=r"none.csv: there is no such file"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InvalidSequencesError, match=r"folder.csv: the folder contains no .parquet files"):
        read_table(str(tmp_path / "folder.csv"))
    with pytest.raises(
        InvalidSequencesError,
        match=r"suffix of a table must be one of .csv, .*\.parquet, or the path a folder of Parquet files\. Got '.txt'",
    ):
        read_table(tmp_path / "table.txt")


def parquet(path, table, **options):
    pq.write_table(table, path, write_page_checksum=True, **options)
    return path


LISTS = [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]]


def test_columns_of_lists_keep_arrows_memory_and_become_sequences(tmp_path):
    frame = read_table(parquet(tmp_path / "x.parquet", pa.table({"label": ["p", "q"], "steps": LISTS, "n": [1, None]})))
    assert isinstance(frame["steps"].dtype, pd.ArrowDtype)
    assert frame["n"].dtype == np.float64
    X = sequences_from_arrow(frame["steps"], ids=frame["label"])
    assert X.ids.tolist() == ["p", "q"]
    assert [steps.tolist() for steps in X] == LISTS
    assert np.array_equal(as_sequences(frame["steps"]).values, X.values)
    assert np.array_equal(as_sequences(frame[["steps"]]).values, X.values)


def test_a_stored_index_is_a_column_like_any_other(tmp_path):
    path = tmp_path / "x.parquet"
    pd.DataFrame({"x": [1.0]}, index=pd.Index(["a"], name="id")).to_parquet(path)
    assert sorted(read_table(path).columns) == ["id", "x"]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 8, b"a,b\n1,2\n"])
def test_what_is_no_parquet_is_refused(written, content):
    with pytest.raises(InvalidSequencesError, match=r"x.parquet: the file is damaged, or not Parquet: its? "):
        read_table(written(content, "x.parquet"))


def test_parquet_columns_of_one_name_are_refused(tmp_path):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(InvalidSequencesError, match=r"the column names \['a'\] occur more than once"):
        read_table(parquet(tmp_path / "x.parquet", table))


def test_mutated_parquet_is_refused_or_its_values_are_unharmed(tmp_path):
    table = pa.table({"id": ["a", "b", "c"] * 20, "x": [[1.0, 2.0], [3.0], []] * 20, "y": np.arange(60.0)})
    path = parquet(tmp_path / "x.parquet", table)
    whole, good = path.read_bytes(), read_table(path)
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    draw = random.Random(0)
    refused = 0
    for _ in range(400):
        broken = bytearray(whole)
        places = [draw.randrange(len(whole)) for _ in range(draw.choice([1, 1, 4]))]
        for i in places:
            broken[i] = draw.randrange(256)
        path.write_bytes(broken)
        try:
            read = read_table(path)
        except InvalidSequencesError:
            refused += 1
        else:  # the footer has no checksum: a column may have lost its name or type, never its data
            assert read.equals(good) or max(places) >= footer
    assert refused > 200


def test_a_forged_row_count_is_refused_before_it_is_believed(tmp_path):
    path = parquet(tmp_path / "x.parquet", pa.table({"y": np.arange(1000.0)}))
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for rows in (2**40, 2**28):
        metadata = whole[footer:-8].replace(varint(1000), varint(rows))
        path.write_bytes(whole[:footer] + metadata + len(metadata).to_bytes(4, "little") + b"PAR1")
        with pytest.raises(InvalidSequencesError, match=f"declares {rows} rows but has 1000 values in column 'y'"):
            read_table(path)


def varint(number):
    """Return a positive integer as Thrift's compact protocol writes it."""
    number, out = 2 * number, b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])
