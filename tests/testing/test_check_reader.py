"""`check_reader` passes readers that keep the protocol, and names the fault of one that does not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seqpipe.datasets import Dataset
from seqpipe.exceptions import UnknownNameError
from seqpipe.sequences import Sequences
from seqpipe.testing import READER_CHECKS, CheckError, check_reader

LINES = [json.dumps({"x": [[i / 10 + t, 1.0] for t in range(3 + i % 4)], "y": "ab"[i % 2]}) for i in range(20)]


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """Sequences in JSON, as one list."""
    path = tmp_path / "machines.waves"
    path.write_text("[" + ",\n".join(LINES) + "]", encoding="utf-8")
    return path


def read(path: Path) -> Dataset:
    """Read the sample."""
    records = json.loads(path.read_text(encoding="utf-8"))
    X = Sequences.from_arrays([np.array(record["x"]) for record in records])
    return Dataset(path.stem, X, np.array([record["y"] for record in records]))


def as_table(path: Path) -> pd.DataFrame:
    found = read(path)
    assert isinstance(found.X, Sequences)
    assert found.y is not None
    frame = pd.DataFrame(found.X.values, columns=["speed", "heat"])
    return frame.assign(machine=np.repeat(np.arange(len(found.X)), found.X.lengths), hole=np.nan)


def as_list(path: Path) -> list[Any]:
    X: Any = read(path).X
    return [*X]


def as_texts(path: Path) -> Any:
    return np.array([str(record) for record in json.loads(path.read_text(encoding="utf-8"))], dtype=object)


@pytest.mark.parametrize("reader", [read, as_table, as_list, as_texts], ids=lambda reader: reader.__name__)
def test_right_readers_pass(reader: Callable[[Path], Any], sample: Path) -> None:
    report = check_reader(reader, sample)
    assert {result.status for result in report.results} == {"passed"}


def test_a_reader_of_pandas_passes(tmp_path: Path) -> None:
    path = tmp_path / "machines.frame"
    frame = pd.DataFrame({"machine": np.repeat(np.arange(5), 4), "speed": np.arange(20.0)})
    frame.to_parquet(path)
    check_reader(pd.read_parquet, str(path))


def lines(path: Path) -> Any:
    """Read lines, which have no end."""
    return [np.array(json.loads(line)["x"]) for line in path.read_text().splitlines() if line.endswith("}")]


def test_a_format_whose_prefixes_are_files_says_so(tmp_path: Path) -> None:
    path = tmp_path / "machines.waves"
    path.write_text("\n".join(LINES))
    with pytest.raises(
        CheckError, match=r"The first 50% of the file is read without an error.* pass prefixes_are_files=True"
    ):
        check_reader(lines, path)
    report = check_reader(lines, path, prefixes_are_files=True)
    assert report["half_a_file_is_refused"].message == "a prefix of a file is a file of this format"
    assert report["empty_files_are_refused"].status == "skipped"


# ---- planted faults


def gives_a_dict(path: Path) -> Any:
    return {"x": read(path).X}


def gives_nothing(path: Path) -> Any:
    return []


def gives_numbered_columns(path: Path) -> Any:
    return pd.DataFrame(read(path).y)


def gives_holes(path: Path) -> Any:
    return [x * np.nan for x in as_list(path)]


def gives_few_targets(path: Path) -> Any:
    found = read(path)
    assert found.y is not None
    return Dataset(found.name, found.X, found.y[1:])


def goes_on(path: Path) -> Any:
    """Begin each second time after the first sequence."""
    SEEN[path] = SEEN.get(path, 0) + 1
    return as_list(path)[(SEEN[path] + 1) % 2 :]


SEEN: dict[Path, int] = {}


def changes_the_file(path: Path) -> Any:
    found = read(path)
    path.write_text(path.read_text() + " ")
    return found


def leaves_a_cache(path: Path) -> Any:
    path.with_suffix(".cache").write_text("read")
    return read(path)


def wants_ascii(path: Path) -> Any:
    os.fspath(path).encode("ascii")
    return read(path)


def wants_small_letters(path: Path) -> Any:
    if path.suffix != ".waves":
        raise ValueError(f"{path} is not a file of waves")
    return read(path)


def forgives_missing(path: Path) -> Any:
    return read(path) if path.exists() else []


def reads_what_it_can(path: Path) -> Any:
    text = path.read_text(encoding="utf-8").removeprefix("[").removesuffix("]")
    return [np.array(json.loads(line.rstrip(","))["x"]) for line in text.splitlines()[:-1]] if text else json.loads("")


def forgives_empty(path: Path) -> Any:
    return read(path) if path.stat().st_size else []


#: The check that finds each fault, and words of its message.
FAULTS: dict[Any, tuple[str, str]] = {
    gives_a_dict: ("reads_the_sample", r"It returns a dict: return a DataFrame, a seqpipe\.datasets\.Dataset"),
    gives_nothing: ("reads_the_sample", "The result cannot be used as sequences: .* Return one array"),
    gives_holes: ("reads_the_sample", "The result cannot be used as sequences: .*NaN.* of finite numbers"),
    gives_numbered_columns: ("reads_the_sample", r"The columns are \[0\]: names must be strings"),
    gives_few_targets: ("reads_the_sample", "20 samples and 19 targets: return one for each"),
    goes_on: ("reads_the_same_again", "When called again it reads something else"),
    changes_the_file: ("leaves_the_file_as_it_is", "It changes the file: open it for reading only"),
    leaves_a_cache: ("leaves_the_file_as_it_is", r"leaves machines\.cache beside the file: write to a temporary folder"),
    wants_ascii: ("any_folder_works", "In the folder 'Messung 1 – früh' it fails: UnicodeEncodeError"),
    wants_small_letters: ("any_folder_works", r"Under the name machines\.WAVES it fails: ValueError"),
    forgives_missing: ("missing_files_are_refused", r"does not exist it returns \[\]: let the error of open\(\) pass"),
    reads_what_it_can: ("half_a_file_is_refused", r"The first 50% of the file is read .*InvalidSequencesError"),
    forgives_empty: ("empty_files_are_refused", "An empty file is read without an error, as 0 values instead of"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_found_and_named_by_its_check_alone(fault: Any, sample: Path) -> None:
    check, words = FAULTS[fault]
    with pytest.raises(CheckError, match=words):
        check_reader(fault, sample, include=[check])
    report = check_reader(fault, sample, raise_exceptions=False)
    assert [result.name for result in report.failed] == [check]


@pytest.mark.parametrize(
    ("suffixes", "words"),
    [
        ([".json"], "machines.waves ends with none of .* no recipe would choose this reader"),
        ([".waves", ".csv"], r"seqpipe reads \.csv files itself, without plug-ins: offer another suffix"),
        ([".WAVES"], "must be endings of file names in lower case"),
    ],
)
def test_suffixes_that_no_recipe_finds_are_named(suffixes: list[str], words: str, sample: Path) -> None:
    with pytest.raises(CheckError, match=words):
        check_reader(read, sample, suffixes=suffixes, include=["suffixes_are_its_own"])


def test_every_check_finds_a_fault() -> None:
    assert {check for check, _ in FAULTS.values()} | {"suffixes_are_its_own"} == {check.name for check in READER_CHECKS}


def test_a_sample_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check_reader(read, tmp_path / "none.waves")


def test_an_unknown_check_is_refused(sample: Path) -> None:
    with pytest.raises(UnknownNameError, match="check_reader has no check 'reads_sample'"):
        check_reader(read, sample, include=["reads_sample"])
