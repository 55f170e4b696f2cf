"""The limit of the memory that a table may take."""

from types import SimpleNamespace

import pytest

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tables._memory_limit import TableBudget, shown_bytes


@pytest.fixture(autouse=True)
def plenty(monkeypatch):
    """No limit is set, and there is more memory than any file needs."""
    monkeypatch.delenv("SEQPIPE_MAX_TABLE", raising=False)
    available(monkeypatch, 10**15)


def available(monkeypatch, n_bytes):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=n_bytes))


@pytest.mark.parametrize(("size", "limit"), [(6_000, 10**9), (10**8, 5 * 10**9)])
def test_a_table_may_take_a_gigabyte_or_fifty_times_its_file(size, limit):
    assert TableBudget.of(size).limit == limit


def test_a_table_may_not_take_more_than_there_is(monkeypatch):
    available(monkeypatch, 10**8)
    with pytest.raises(InvalidSequencesError, match=r"The limit is 100\.0 MB, the memory that is available"):
        TableBudget.of(1).take(2 * 10**8, "x.csv")


@pytest.mark.parametrize(
    ("written", "limit"),
    [("8GB", 8 * 10**9), ("1.5 gb", 15 * 10**8), ("500M", 5 * 10**8), ("7", 7), (" 2 TiB ", 2 * 10**12)],
)
def test_the_environment_sets_another_limit(written, limit, monkeypatch):
    monkeypatch.setenv("SEQPIPE_MAX_TABLE", written)
    assert TableBudget.of(1).limit == limit


@pytest.mark.parametrize("written", ["lots", "-1", "0", "8 parsecs", "1e9"])
def test_a_limit_that_is_no_number_of_bytes_is_refused(written, monkeypatch):
    monkeypatch.setenv("SEQPIPE_MAX_TABLE", written)
    with pytest.raises(InvalidSequencesError, match=f"SEQPIPE_MAX_TABLE must be .* Got '{written}' instead"):
        TableBudget.of(1)


def test_what_is_taken_adds_up_and_the_error_names_file_and_remedy():
    budget = TableBudget(10**9, "for a test")
    budget.take(6 * 10**8, "a.parquet")
    assert budget.left == 4 * 10**8
    with pytest.raises(
        InvalidSequencesError, match=r"^b\.parquet: the table takes 1\.2 GB .*SEQPIPE_MAX_TABLE=3GB; else"
    ):
        budget.take(6 * 10**8, "b.parquet")
    assert budget.left == 0


def test_bytes_are_shown_with_a_unit():
    assert [shown_bytes(n) for n in (12, 1500, 10**7, 5 * 10**12)] == ["12 bytes", "1.5 kB", "10.0 MB", "5.0 TB"]
