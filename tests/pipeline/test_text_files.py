"""Files of texts, read and written."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.pipeline._text_files import read_lines, read_passages, write_lines
from seqpipe.tables import write_fingerprint

TEXTS = st.text(st.sampled_from("ab \t\né"), max_size=80).filter(str.strip)


def written(content: bytes) -> str:
    Path("texts.txt").write_bytes(content)
    return "texts.txt"


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"ab\nba\n", ["ab", "ba"]),
        (b"ab\nba", ["ab", "ba"]),
        (b"ab\r\nba\r\n", ["ab", "ba"]),
        (b"ab\rba\r", ["ab", "ba"]),
        (b"ab\n\n  \nba\n", ["ab", "", "", "ba"]),
        (b"\nab\n", ["", "ab"]),
        (b"ab\n\n \n\r\n", ["ab"]),
        (b" ab \n", [" ab "]),
        (b"\xef\xbb\xbfab\n", ["ab"]),
        ("a\u2028b\x0bc\x85d\n".encode(), ["a\u2028b\x0bc\x85d"]),
    ],
)
def test_a_file_is_read_line_by_line(content: bytes, lines: list[str]) -> None:
    found = read_lines(written(content), "text")
    assert found["text"].tolist() == lines
    assert found.index.tolist() == [*range(1, len(lines) + 1)]


@pytest.mark.parametrize("read", [read_lines, read_passages])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"ab\n\xff\n", r"^texts\.txt:2: the line is not UTF-8, b'\\xff'"),
        (b"a\r\nb\rc\n\xed\xa0\x80\n", r"^texts\.txt:4: the line is not UTF-8, b'\\xed'"),  # half a surrogate pair
        (b"ab\nb\0a\n", r"^texts\.txt:2: the line contains a NUL byte"),
        ("ab\n".encode("utf-16"), r"^texts\.txt: the file is UTF-16, not UTF-8. Save it as UTF-8"),
        (b"", r"^texts\.txt: the file contains no text"),
        (b" \n\r\n", r"^texts\.txt: the file contains no text"),
    ],
)
def test_a_file_that_holds_no_texts_is_refused_with_the_line(read, content: bytes, message: str) -> None:
    with pytest.raises(InvalidSequencesError, match=message):
        read(written(content), "text")


def test_a_file_that_cannot_be_opened_is_named() -> None:
    with pytest.raises(InvalidSequencesError, match=r"^other\.txt: there is no such file"):
        read_lines("other.txt", "text")
    Path("folder.txt").mkdir()
    with pytest.raises(InvalidSequencesError, match=r"^folder\.txt: the file cannot be read: Is a directory"):
        read_lines("folder.txt", "text")


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS, longer=st.sampled_from([1, 40]))
def test_the_passages_of_a_text_are_the_text(text: str, longer: int) -> None:
    found = read_passages(written((text * longer).encode()), "text")["text"]
    assert "".join(found) == text * longer
    assert all(passage.strip() for passage in found)


def test_passages_know_the_line_on_which_they_begin() -> None:
    found = read_passages(written(b"one\r\n\r\n  two\r\nthree"), "text")
    assert found["text"].tolist() == ["one\n\n  ", "two\n", "three"]
    assert found.index.tolist() == [1, 3, 4]


def test_a_text_without_lines_is_cut_between_words() -> None:
    found = read_passages(written(b"word " * 1000), "text")["text"]
    assert len(found) == 10
    assert all(set(passage.split()) == {"word"} for passage in found)


def test_the_last_word_of_a_long_line_stays_whole() -> None:
    found = read_passages(written(b"a " * 5000 + b"word"), "text")["text"]
    assert found.iloc[-1].split()[-1] == "word"


def test_a_text_without_words_is_cut_all_the_same() -> None:
    assert read_passages(written(b"acgt" * 1000), "text")["text"].str.len().max() <= 1400


def test_missing_predictions_are_blank_lines() -> None:
    write_lines(pd.DataFrame({"prediction": ["ab", None, float("nan"), pd.NA, "", ["x", "y"]]}), "out.txt")
    assert Path("out.txt").read_text() == "ab\n\n\n\n\nx y\n"


@pytest.mark.parametrize("end", ["\n", "\r"])
def test_a_prediction_of_two_lines_is_not_written(end: str) -> None:
    with pytest.raises(InvalidSequencesError, match="prediction 1 has more than one line"):
        write_lines(pd.DataFrame({"prediction": ["ab", f"a{end}b"]}), "out.txt")


def test_a_text_that_differs_from_its_fingerprint_is_refused() -> None:
    path = written(b"ab\nba\n")
    write_fingerprint(path)
    assert len(read_lines(path, "text")) == 2
    written(b"ab\nbb\n")
    with pytest.raises(InvalidSequencesError, match=r"texts\.txt: the file is not the one whose fingerprint is in"):
        read_lines(path, "text")
