from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.exceptions import RecipeError
from seqpipe.pipeline._document import Document, dotted, parse_yaml, read_document, write_yaml

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(st.characters(categories=["L", "N"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), inner, max_size=3)
    ),
    max_leaves=10,
)


def test_numbers_and_words_are_those_of_yaml_1_2():
    data, _ = parse_yaml("a: 1e-3\nb: no\nc: 010\nd: 2020-01-01\ne: .inf\nf: on\ng: 1:30\nh: ~\n", "r.yaml")
    assert data == {
        "a": 0.001, "b": "no", "c": 10, "d": "2020-01-01", "e": float("inf"), "f": "on", "g": "1:30", "h": None,
    }  # fmt: skip


def test_every_value_knows_its_line():
    _, lines = parse_yaml("# first\na:\n  - 1\n  - b: 2\n    c: 3\n", "r.yaml")
    assert lines == {(): 2, ("a",): 2, ("a", 0): 3, ("a", 1): 4, ("a", 1, "b"): 4, ("a", 1, "c"): 5}


@given(PLAIN)
def test_what_is_written_is_read_back(data: object):
    assert parse_yaml(write_yaml({"a": data}), "r.yaml")[0] == {"a": data}


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: !!python/object/apply:os.system ['touch hacked']",
        "a: 1\nb: !!python/name:os.system",
        "a: 1\nb: !custom x",
        "a: 1\nb: !!str x",
        "a: 1\nb: ! x",
        "a: 1\n!!str b: x",
        "a: 1\nb: !!map {c: 1}",
        "%TAG ! tag:yaml.org,2002:python/\n--- {b: !name:os.system x}",
    ],
)
def test_a_tag_is_refused_with_its_line(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match=r"^r\.yaml:2: the tag .* is not allowed"):
        parse_yaml(text, "r.yaml")
    assert not list(tmp_path.iterdir())


def test_a_duplicate_key_is_refused_with_both_lines():
    with pytest.raises(RecipeError, match=r"r\.yaml:4: the key 'cv' is already defined on line 2"):
        parse_yaml("search:\n  cv: 3\n  x: 1\n  cv: 5\n", "r.yaml")


def test_aliases_are_read_where_they_are_few():
    assert parse_yaml("a: &x [1, 2]\nb: *x\n", "r.yaml")[0] == {"a": [1, 2], "b": [1, 2]}


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (bomb(9), r"r\.yaml:\d+: its aliases expand to too many values"),
        (bomb(20), r"r\.yaml:\d+: more than 100 aliases"),
        ("a: &a [*a]", r"r\.yaml:1: its aliases expand to too many values"),
        ("[" * 5000, r"r\.yaml:1: values are nested more than 50 deep"),
        ("\n".join(" " * i + "a:" for i in range(5000)), r"r\.yaml:51: values are nested more than 50 deep"),
        ("a: " + "9" * 5000, r"r\.yaml:1: the number cannot be parsed"),
    ],
    ids=["alias bomb", "many aliases", "alias of itself", "deep flow", "deep block", "huge number"],
)
def test_what_would_grow_without_bound_is_refused(text: str, message: str):
    with pytest.raises(RecipeError, match=message):
        parse_yaml(text, "r.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", r"r\.yaml:1: invalid YAML: expected ',' or '\]'"),
        ("a: 1\n  b: 2", r"r\.yaml:2: invalid YAML"),
        ("a: 1\n---\nb: 2", r"r\.yaml:2: invalid YAML: .*another document"),
        ("a: *b", r"r\.yaml:1: invalid YAML: found undefined alias 'b'"),
        ("a: \x00", r"r\.yaml: invalid YAML"),
        ("? [a]\n: b", r"r\.yaml:1: a key must be text or an integer"),
        ("no: 1\ntrue: 1", r"r\.yaml:2: a key must be text or an integer"),
        ("%YAML 1.1\n---\na: no", r"r\.yaml:2: recipes must be YAML 1\.2; remove the %YAML line"),
    ],
)
def test_what_is_not_plain_yaml_is_refused(text: str, message: str):
    with pytest.raises(RecipeError, match=message):
        parse_yaml(text, "r.yaml")


def test_an_empty_text_is_nothing():
    assert parse_yaml("# only words\n", "r.yaml")[0] is None


def test_a_file_beyond_a_megabyte_is_refused(tmp_path: Path):
    path = tmp_path / "big.yaml"
    path.write_text("#" * 1_000_001)
    with pytest.raises(
        RecipeError, match=r"big\.yaml: a recipe must have at most 1,000,000 bytes, but this file has 1,000,001"
    ):
        read_document(path)


def test_a_file_without_an_end_is_refused():
    with pytest.raises(RecipeError, match="/dev/zero: a recipe must have at most 1,000,000 bytes"):
        read_document(Path("/dev/zero"))


def test_a_file_that_is_not_utf_8_is_refused_with_the_line(tmp_path: Path):
    path = tmp_path / "r.yaml"
    path.write_bytes("a: 1\nb: naïve\n".encode("latin-1"))
    with pytest.raises(RecipeError, match=r"r\.yaml:2: the file is not UTF-8"):
        read_document(path)


def test_a_byte_order_mark_is_no_part_of_a_recipe(tmp_path: Path):
    path = tmp_path / "r.yaml"
    path.write_text("a: 1", encoding="utf-8-sig")
    assert read_document(path).data == {"a": 1}


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path):
    with pytest.raises(RecipeError, match=r"cannot be read: Is a directory"):
        read_document(tmp_path)


def test_an_error_names_the_nearest_place_that_was_written():
    document = Document({"a": {"b": 1}}, {(): "r.yaml:1", ("a",): "r.yaml:3"})
    assert str(document.error(("a", "b", 2), "wrong.")) == "r.yaml:3: a.b[2]: wrong."
    assert str(document.error((), "wrong.")) == "r.yaml:1: wrong."


def test_paths_are_written_as_a_user_would():
    assert dotted(("search", "grid", "cell", 1)) == "search.grid.cell[1]"
