"""CSV files as other programs write them; cells are read unchanged."""

import gzip

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import CsvFormat, read_table, read_written


@pytest.fixture
def written(tmp_path):
    def write(content, name="table.csv"):
        content = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.lower().endswith(".gz") else content)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("content", "name", "notes"),
    [
        ("a,b\n1,x\n2,y\n", "t.csv", []),
        ("a,b\n1,x\n2,y\n", "t.csv.gz", []),
        ("a\tb\n1\tx\n2\ty\n", "t.tsv", []),
        ("a\tb\n1\tx\n2\ty\n", "T.TSV.GZ", []),
        ("a;b\n1;x\n2;y\n", "t.csv", ["cells are separated by ';'"]),
        ("sep=;\na;b\n1;x\n2;y\n", "t.csv", ["cells are separated by ';'"]),
        ("a|b\n1|x\n2|y\n", "t.csv", ["cells are separated by '|'"]),
        ("a\tb\n1\tx\n2\ty\n", "t.csv", ["cells are separated by tabs"]),
        ("a,b\n1,x\n2,y\n", "t.tsv", ["cells are separated by ','"]),
        ("a, b\n1, x\n2, y\n", "t.csv", []),
    ],
)
def test_the_separator_is_found_and_told(written, content, name, notes):
    found = read_written(written(content, name))
    assert found.frame.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}
    assert found.notes == notes


def test_commas_in_cells_do_not_hide_the_semicolons(written):
    found = read_written(written('a;b\n1,5;"x;y"\n2,5;"z"\n'))
    assert found.frame.to_dict("list") == {"a": ["1,5", "2,5"], "b": ["x;y", "z"]}


def test_the_separator_with_more_columns_is_taken_where_two_would_do(written):
    frame = read_written(written("day;price, net;n\n1;1,5;2\n2;2,5;3\n")).frame
    assert list(frame) == ["day", "price, net", "n"]


def test_lines_are_counted_past_what_stands_above_the_header(written):
    assert read_written(written("sep=;\na;b\n1;2\n\n3;4\n")).frame.index.tolist() == [3, 5]


def test_a_separator_that_is_named_is_taken(written):
    path = written("a^b\n1^2\n")
    found = read_written(path, CsvFormat(separator="^"))
    assert (found.frame.to_dict("list"), found.notes) == ({"a": [1], "b": [2]}, [])
    assert read_table(path, separator="^").shape == (1, 2)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32", "utf-8"])
def test_an_encoding_that_is_named_is_read(written, encoding):
    path = written("größe;name\n1,5;é\n\n2,5;ü\n".encode(encoding))
    frame = read_written(path, CsvFormat(encoding=encoding)).frame
    assert frame.to_dict("list") == {"größe": ["1,5", "2,5"], "name": ["é", "ü"]}
    assert frame.index.tolist() == [2, 4]


def test_another_encoding_is_an_error_that_says_how_to_name_it(written):
    with pytest.raises(InvalidSequencesError, match=r"csv:2: the line is not UTF-8 .*'encoding: latin-1'"):
        read_written(written("a\né\n".encode("latin-1")))
    with pytest.raises(InvalidSequencesError, match=r"table\.csv: the file is not ascii \(.*Specify the encoding"):
        read_written(written("a\né\n"), CsvFormat(encoding="ascii"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"separator": ";;"}, "The separator must be one character"),
        ({"separator": '"'}, "The separator must be one character"),
        ({"decimal": ";"}, r"The decimal mark must be '\.' or ','"),
        ({"separator": ",", "decimal": ","}, "',' cannot be both separator and decimal mark"),
        ({"encoding": "utf-9"}, "The encoding 'utf-9' is unknown to Python"),
    ],
)
def test_an_impossible_format_is_refused(options, message):
    with pytest.raises(InvalidSequencesError, match=message):
        CsvFormat(**options)


def test_what_stands_above_the_names_is_refused_with_the_remedy(written):
    with pytest.raises(
        InvalidSequencesError,
        match=r"csv:2: .* header has 1, '# logger 7'\. .* does not hold the column names, remove it",
    ):
        read_written(written("# logger 7\na,b\n1,2\n"))


def test_columns_without_a_name_are_called_as_pandas_calls_them(written):
    assert list(read_written(written(",a,\n0,1,\n")).frame) == ["Unnamed: 0", "a", "Unnamed: 2"]


def test_names_of_columns_have_one_unicode_form(written):
    assert list(read_written(written("cafe\u0301\n1\n")).frame) == ["café"]


def test_a_broken_gzip_file_is_refused(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 1000)[:40])
    with pytest.raises(InvalidSequencesError, match=r"t\.csv\.gz: the file cannot be read \(EOFError"):
        read_written(path)


@given(
    st.lists(
        st.tuples(st.text(alphabet='07.1eE+- xNaé,;"\t\n', min_size=1), st.text(alphabet="019", min_size=1)),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_every_cell_is_read_as_it_was_written(tmp_path_factory, rows, separator):
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    pd.DataFrame(rows, columns=["name", "code"]).to_csv(path, sep=separator, index=False)
    frame = read_written(path).frame
    assert [tuple(map(str, row)) for row in frame.itertuples(index=False)] == rows


def test_a_long_file_is_read_block_by_block(written):
    path = written("a,b\n" + "".join(f"{i},x{i}\n" for i in range(45_000)))
    frame = read_written(path).frame
    assert frame["a"].tolist() == list(range(45_000))
    assert frame["b"].iloc[-1] == "x44999"


def test_numbers_with_leading_zeros_are_names_to_read_table(written):
    frame = read_table(written("zip,x\n01067,1.50\n10115,2\n"))
    assert frame.to_dict("list") == {"zip": ["01067", "10115"], "x": [1.5, 2]}
