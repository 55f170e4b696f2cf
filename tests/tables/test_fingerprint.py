"""Fingerprints beside data sets: written once, checked whenever the data is read."""

import json

import pandas as pd
import pytest

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables import check_fingerprint, read_table, write_fingerprint


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("x\n1\n2\n")
    return path


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "data"
    for day in (1, 2):
        (path / f"day={day}").mkdir(parents=True)
        pd.DataFrame({"x": [float(day)]}).to_parquet(path / f"day={day}" / "a.parquet")
    return path


def test_an_unchanged_file_is_read(rows):
    assert write_fingerprint(rows) == rows.with_name("rows.csv.fingerprint")
    assert read_table(rows)["x"].tolist() == [1, 2]
    content = json.loads(rows.with_name("rows.csv.fingerprint").read_text())
    assert (content["format"], content["size"], len(content["sha256"])) == (1, 6, 64)


@pytest.mark.parametrize(
    ("changed", "how"), [("x\n1\n3\n", "its content differs"), ("x\n1\n", "it has 4 bytes instead of 6")]
)
def test_a_changed_file_is_refused_until_its_fingerprint_is_written_again(rows, changed, how):
    write_fingerprint(rows)
    rows.write_text(changed)
    with pytest.raises(
        InvalidSequencesError, match=rf'rows\.csv: .*{how}.* run "seqpipe data fingerprint .*rows\.csv"'
    ):
        read_table(rows)
    write_fingerprint(rows)
    assert read_table(rows)["x"].iloc[0] == 1


def test_the_files_of_a_folder_are_checked(folder):
    assert write_fingerprint(folder) == folder.with_name("data.fingerprint")
    assert read_table(folder)["day"].tolist() == ["1", "2"]
    pd.DataFrame({"x": [3.0]}).to_parquet(folder / "day=2" / "a.parquet")
    with pytest.raises(
        InvalidSequencesError, match=r"day=2/a\.parquet: the file is not the one whose fingerprint is in"
    ):
        read_table(folder)


def test_a_file_that_is_missing_in_a_folder_is_named(folder):
    write_fingerprint(folder)
    (folder / "day=1" / "a.parquet").unlink()
    with pytest.raises(InvalidSequencesError, match=r"the file 'day=1/a\.parquet' is missing, but in the fingerprint"):
        read_table(folder)


def test_the_fingerprint_of_a_file_in_a_folder_is_checked_too(folder):
    write_fingerprint(folder / "day=1" / "a.parquet")
    pd.DataFrame({"x": [3.0]}).to_parquet(folder / "day=1" / "a.parquet")
    with pytest.raises(InvalidSequencesError, match=r"day=1/a\.parquet: the file is not the one"):
        read_table(folder)


def test_the_working_folder_has_a_fingerprint_beside_it(folder, monkeypatch):
    monkeypatch.chdir(folder / "day=1")
    assert write_fingerprint("..") == folder.with_name("data.fingerprint")
    assert write_fingerprint(".") == folder / "day=1.fingerprint"


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{}", '{"format": 2, "sha256": "", "size": 1}', '{"format": 1, "sha256": 1, "size": 1}'),
        *('{"format": 1, "sha256": "", "size": "1"}', '{"format": 1, "files": 3}', '{"format": 1, "files": {}}'),
    ],
)
def test_a_fingerprint_of_another_kind_is_refused(rows, content):
    rows.with_name("rows.csv.fingerprint").write_text(content)
    with pytest.raises(
        InvalidSequencesError, match=r"rows\.csv\.fingerprint: the fingerprint is damaged, or of another"
    ):
        check_fingerprint(rows)


def test_the_fingerprint_of_a_file_is_no_fingerprint_of_a_folder(folder, rows):
    write_fingerprint(rows).rename(folder.with_name("data.fingerprint"))
    with pytest.raises(InvalidSequencesError, match="the fingerprint is damaged, or of another version"):
        read_table(folder)


def test_what_does_not_exist_has_no_fingerprint(tmp_path):
    with pytest.raises(InvalidSequencesError, match=r"none\.csv: there is no such file"):
        write_fingerprint(tmp_path / "none.csv")


def test_a_fingerprint_can_be_read_by_whoever_can_read_the_data(rows):
    rows.chmod(0o640)
    assert write_fingerprint(rows).stat().st_mode & 0o777 == 0o640
