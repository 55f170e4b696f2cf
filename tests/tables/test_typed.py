"""Columns by their roles: one rule for features, text kept as it is written, lists out of text."""

from decimal import Decimal
from io import StringIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import Roles, Table, typed

LONG = Roles(id="id", time="t", target=("y",))
WIDE = Roles(target=("y",))


def table(text, roles=WIDE):
    frame = pd.read_csv(StringIO(text), dtype=str, keep_default_na=False, na_values=[""])
    frame.index = pd.RangeIndex(2, 2 + len(frame), name="line")
    return Table(frame, roles, "rows.csv")


def typed_columns(text, roles=WIDE, target="labels", **options):
    return typed(table(text, roles), target=target, **options)


def test_features_are_numbers_and_ids_and_labels_what_they_were():
    found, notes = typed_columns("id,t,x,on,y\n007,1,1.50,True,01\n1E5,2,,False,1.10\n", LONG)
    assert found.roles.features == ("x", "on")
    assert found.frame["id"].tolist() == ["007", "1E5"]
    assert found.frame["y"].tolist() == ["01", "1.10"]
    np.testing.assert_array_equal(found.frame[["t", "x", "on"]], [[1, 1.5, 1], [2, np.nan, 0]])
    assert notes == []


@pytest.mark.parametrize("cell", ["?", "ERR", "N/K", "-", "abc", "2024-01-01"])
def test_one_cell_that_is_no_number_is_refused_with_its_line(cell):
    rows = "".join(f"{i}.5,a\n" for i in range(40))
    match = rf"rows\.csv:42: column 'x' is '{cell.replace('?', '.')}', which is not a number; 40 of its cells .* 'features:'"
    with pytest.raises(InvalidSequencesError, match=match):
        typed_columns(f"x,y\n{rows}{cell},b\n")


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ('"1,234.5"', "without separators of thousands"),
        ("12 %", "without percent signs and currencies"),
        ("$3.50", "without percent signs and currencies"),
        ('"1,5"', r"write 'decimal: \",\"' under 'data:'"),
    ],
)
def test_numbers_dressed_for_people_are_refused_with_advice(cell, advice):
    with pytest.raises(InvalidSequencesError, match=rf"rows\.csv:3: column 'x' is .*{advice}"):
        typed_columns(f"x,z,y\n1.5,1,a\n{cell},1,b\n2,1,b\n")


def test_a_column_of_dressed_numbers_is_refused_too():
    with pytest.raises(
        InvalidSequencesError, match=r"column 'x' is '12 %', which is not a number \(and 1 more\)\. Write"
    ):
        typed_columns("x,z,y\n12 %,1,a\n14 %,1,b\n")


def test_a_row_of_units_is_refused_with_its_line():
    with pytest.raises(
        InvalidSequencesError, match=r"rows\.csv:2: column 'x' is 'm/s'.* holds units, remove that line"
    ):
        typed_columns("id,t,x,y\n,s,m/s,\na,1,1.5,u\na,2,2.5,u\n", LONG)


def test_a_junk_cell_among_truth_values_is_refused():
    with pytest.raises(InvalidSequencesError, match=r"rows\.csv:4: column 'on' is 'maybe'"):
        typed_columns("on,x,y\nTrue,1,a\nFalse,2,b\nmaybe,3,a\n")


def test_columns_that_are_no_features_are_told_by_their_kind():
    text = "Unnamed: 0,__index_level_0__,index,x,note,day,gone,y\n0,5,0,1,k,2024-01-01,,a\n1,6,1,2,7,2024-01-02,,b\n2,7,2,3,l,,,b\n"
    text = text.replace("2,7,2,3,l,,,b", "2,9,2,3,l,x,,b")
    found, notes = typed(Table(table(text).frame.astype({"index": "int64"}), WIDE, "rows.csv"), target="labels")
    assert found.roles.features == ("x",)
    assert notes == [
        "columns without a role: day, note",
        "index columns, ignored: Unnamed: 0, __index_level_0__, index",
        "columns without values: gone",
    ]


def test_an_index_column_may_have_a_role():
    found, _ = typed_columns("Unnamed: 0,x,y\na,1,u\nb,2,v\n", Roles(id="Unnamed: 0", target=("y",)))
    assert found.roles.features == ("x",)
    named, _ = typed_columns("Unnamed: 0,x,y\n5,1,u\n6,2,v\n", Roles(features=("Unnamed: 0",), target=("y",)))
    assert named.frame["Unnamed: 0"].tolist() == [5, 6]


def test_a_column_called_index_that_does_not_count_the_rows_is_a_feature():
    frame = pd.DataFrame({"index": [103, 99, 101], "x": 1.0, "y": list("aba")})
    assert typed(Table.of(frame, WIDE, "prices"), target="labels")[0].roles.features == ("index", "x")


def test_features_that_are_named_have_to_be_numbers():
    match = r"The feature column 'note' of 'rows\.csv' holds (str|object).*: it is 'k' at rows\.csv:2.* leave it out of the features"
    with pytest.raises(InvalidSequencesError, match=match):
        typed_columns("x,note,y\n1,k,a\n2,l,b\n", Roles(features=("x", "note"), target=("y",)))


def test_a_table_of_every_storage_is_read_as_its_csv_would_be():
    frame = pd.DataFrame(
        {
            "price": pd.array([Decimal("1.10"), None], dtype=pd.ArrowDtype(pa.decimal128(10, 2))),
            "open": pd.array([True, None], dtype="boolean"),
            "n": pd.array([1, None], dtype="Int64"),
            "text": pd.array(["1.5", "2"], dtype="string[pyarrow]"),
            "kind": pd.Categorical(["3", "4"]),
            "objects": pd.Series([Decimal(1), pd.NA], dtype=object),
            "y": ["a", "b"],
        }
    )
    stored, _ = typed(Table.of(frame, WIDE, "x"), target="labels")
    written, _ = typed_columns(frame.to_csv(index=False))
    assert stored.roles == written.roles
    features = list(stored.roles.features)
    np.testing.assert_array_equal(stored.frame[features].to_numpy(float), written.frame[features].to_numpy(float))


def test_decimal_commas_are_found_and_told():
    found, notes = typed_columns('x,z,y\n"1,5",2,a\n"-0,25",3,b\n')
    assert found.frame["x"].tolist() == [1.5, -0.25]
    assert notes == ["decimal mark: ','"]
    assert typed_columns('x,z,y\n"1,5",2,a\n"2,5",3,b\n', decimal=",")[1] == []


def test_commas_of_labels_and_ids_are_no_decimals():
    found, notes = typed_columns('id,x,y\n"1,5",1.5,"2,5"\n"2,5",2.5,"2,5"\n', Roles(id="id", target=("y",)))
    assert (found.frame["id"].tolist(), notes) == (["1,5", "2,5"], [])


def test_commas_and_points_in_one_table_are_refused():
    match = (
        r"with a comma in column 'x' \('1,5' at rows\.csv:2\), but with a point in column 'z' \('2\.5' at rows\.csv:2\)"
    )
    with pytest.raises(InvalidSequencesError, match=match):
        typed_columns('x,z,y\n"1,5",2.5,a\n"2,5",3.5,b\n')


def test_a_comma_that_may_separate_thousands_is_refused_unless_semicolons_separate_cells():
    text = 'x,z,y\n"1,234",2,a\n"2,345",3,b\n'
    with pytest.raises(
        InvalidSequencesError, match=r"'1,234' at rows\.csv:2\) may have a decimal comma or a thousands separator"
    ):
        typed_columns(text)
    assert typed_columns(text, separator=";")[0].frame["x"].tolist() == [1.234, 2.345]
    assert typed_columns(text, decimal=",")[0].frame["x"].tolist() == [1.234, 2.345]


def test_numeric_targets_are_numbers_and_labels_are_not():
    text = 'x,y\n1,"01,5"\n2,"02,5"\n'
    assert typed_columns(text, target="numbers")[0].frame["y"].tolist() == [1.5, 2.5]
    assert typed_columns(text, target="labels")[0].frame["y"].tolist() == ["01,5", "02,5"]
    assert typed_columns("x,y\n1,007\n2,8\n", target=None)[0].frame["y"].tolist() == [7, 8]
    assert typed_columns("x,y\n1,007\n2,x\n", target=None)[0].frame["y"].tolist() == ["007", "x"]


def test_a_junk_cell_of_a_numeric_target_is_refused_with_its_line():
    with pytest.raises(InvalidSequencesError, match=r"rows\.csv:3: column 'y' is '\?', which is not a number"):
        typed_columns("x,y\n1,1.5\n2,?\n", target="numbers")


def test_a_word_for_nothing_is_a_label_among_words_and_missing_among_whole_numbers():
    assert typed_columns("x,y\n1,NA\n2,b\n")[0].frame["y"].tolist() == ["NA", "b"]
    assert typed_columns("x,y\n1,NA\n2,3\n")[0].frame["y"].isna().tolist() == [True, False]


def test_a_series_without_targets_is_every_feature():
    found, notes = typed_columns("t,a,note\n1,1.5,k\n2,2.5,k\n", Roles(time="t"), target="series")
    assert (found.roles.target, found.roles.features) == (("a",), None)
    assert notes == ["columns without a role: note"]


def test_a_table_without_rows_is_refused():
    with pytest.raises(InvalidSequencesError, match=r"'rows\.csv' has no rows"):
        typed_columns("x,y\n")


SEQUENCE = Roles(sequence="s", target=("y",))


@pytest.mark.parametrize(
    ("first", "second", "lists"),
    [
        ("[1.0, 2.5]", "[3]", [[1.0, 2.5], [3.0]]),
        ("[[1, 2], [3, 4]]", "[[5, 6]]", [[[1, 2], [3, 4]], [[5, 6]]]),
        (str(np.array([1.0, 0.25, -3e-5])), str(np.array([2.0])), [[1.0, 0.25, -3e-5], [2.0]]),
        (str(np.array([[1.5, -2.0], [3.0, 4.0]])), str(np.array([[0.5, 1.0]])), [[[1.5, -2], [3, 4]], [[0.5, 1]]]),
        ("0.5 1 -2", "3", [[0.5, 1, -2], [3]]),
        ("0.5; 1;2e3", "3;4", [[0.5, 1, 2000], [3, 4]]),
    ],
)
def test_lists_that_are_stored_as_text_are_read(first, second, lists):
    frame = pd.DataFrame({"s": [first, second], "y": ["a", "b"]})
    found, notes = typed(Table.of(frame, SEQUENCE, "lists.csv"), target="labels")
    assert [
        np.asarray(cell.tolist() if hasattr(cell, "tolist") else cell, dtype=object).tolist()
        for cell in found.frame["s"]
    ] == lists
    assert notes == ["the text in column 's' is parsed as lists"]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            ["[1, 2]", "[1, oops"],
            r"lists\.csv, row 2: column 's' is '\[1, oops', which is not a list\. Write every sequence as",
        ),
        (["[1, 2]", "3"], r"row 2: column 's' is '3', which is not a list"),
        (["[0. 1. 2. ... 7. 8. 9.]", "[1.]"], r"row 1: .* not a list\. It was abbreviated when it was written"),
        (["[1, 2]", "[[1], [2]]"], r"The column 's' of 'lists\.csv' cannot be read as lists of numbers"),
        (["0.5", "0.7"], r"has one number per row, such as '0\.5' at lists\.csv, row 1, not a sequence.* 'id:'"),
    ],
)
def test_text_that_is_no_list_among_lists_is_refused(cells, message):
    with pytest.raises(InvalidSequencesError, match=message):
        typed(Table.of(pd.DataFrame({"s": cells, "y": ["a", "b"]}), SEQUENCE, "lists.csv"), target="labels")


def test_a_column_of_numbers_is_no_column_of_sequences():
    frame = pd.DataFrame({"s": [1, 2], "y": ["a", "b"]})
    with pytest.raises(InvalidSequencesError, match=r"The sequence column 's' of 'x' has one number per row"):
        typed(Table.of(frame, SEQUENCE, "x"), target="labels")


@pytest.mark.parametrize("cells", [["a word", "another"], ["1 2 3", "4 5"], ["[sic]", "[1]"], ["12", "7"]])
def test_texts_stay_texts(cells):
    frame = pd.DataFrame({"s": cells, "y": ["a", "b"]})
    found, notes = typed(Table.of(frame, SEQUENCE, "texts.csv"), target="labels", texts=True)
    assert (found.frame["s"].tolist(), notes) == (cells, [])


def test_texts_of_digits_stay_texts():
    frame = pd.DataFrame({"s": [12, 7], "y": [3, 4]})
    found, _ = typed(Table.of(frame, SEQUENCE, "x"), target="texts", texts=True)
    assert found.frame.to_dict("list") == {"s": ["12", "7"], "y": ["3", "4"]}


def test_a_table_whose_features_are_all_empty_is_refused_with_the_column():
    with pytest.raises(InvalidSequencesError, match=r"rows\.csv:2: column 'x' is empty here and in all other rows"):
        typed_columns("x,note,y\n,k,a\n,l,b\n")
