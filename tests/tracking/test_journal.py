"""The journal: what is in it after every way to end, and what is not read from it."""

from __future__ import annotations

import math
import os
import stat
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.tracking._events import EntriesAdded, FitBegan, Reported, RunBegan, RungBegan, SearchEnded
from seqpipe.tracking._journal import Journal, claimed, find_journals, is_own, read_journal, remove_claimed
from seqpipe.tracking._lines import entry_of, event_of, line_of, read_lines
from seqpipe.tracking._place import is_known, journal_prefix, remember
from seqpipe.tracking._search import SearchResults

TREE = UUID(int=7)
PATH = (("search", 0), ("candidate-split-evaluation", 2))


def reported(step, loss=0.5):
    return Reported(tree=TREE, time=step, path=PATH, step=step, metrics={"loss": loss}, tags={"a": "é\n"})


@pytest.fixture
def journal(tmp_path):
    kept = Journal(tmp_path / "mlflow.db.journal-", {"experiment": "e"})
    yield kept
    if kept.folder.exists():
        kept.remove()


@pytest.mark.parametrize(
    "event",
    [
        reported(3),
        FitBegan(tree=TREE, time=1, name="n", is_search=True, logs_model=False, params={"a": "1"}, tags={}),
        FitBegan(
            tree=TREE, time=1, name="n", is_search=False, logs_model=False, params={}, tags={}, key="k", group=TREE
        ),
        RungBegan(
            tree=TREE,
            time=1,
            path=PATH[:1],
            n_splits=2,
            n_candidates=3,
            resource="max_epochs",
            amount=4,
            grid={"a": ["1"]},
        ),
        RunBegan(tree=TREE, time=1, path=PATH, worker=(3, 4), params={}, tags={}),
        EntriesAdded(tree=TREE, time=1, to="both", metrics={"m": math.inf}, tags={}),
        SearchEnded(tree=TREE, time=1, path=(), results=SearchResults([{"a": "1"}], [{"m": 1.0}], [[{}]], None)),
    ],
    ids=lambda event: type(event).__name__,
)
def test_an_event_is_read_as_it_was_written(event):
    ((entry,), damaged) = read_lines(line_of(entry_of(event)))
    assert (event_of(entry), damaged) == (event, 0)


def test_nan_and_infinity_are_kept():
    ((entry,), _) = read_lines(line_of(entry_of(reported(1, math.nan))))
    assert math.isnan(event_of(entry).metrics["loss"])


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"event": "Event2"},
        {"event": "os.system"},
        {"event": ["Reported"]},
        {**entry_of(reported(1)), "tree": str(TREE), "step": "x"},
    ],
)
def test_what_is_no_event_is_refused(entry):
    with pytest.raises(ValueError, match="is not an event|validation error"):
        event_of(entry)


@given(st.integers(0, 400))
def test_a_journal_that_is_cut_anywhere_keeps_all_complete_lines(size):
    lines = [line_of(entry_of(reported(step))) for step in range(3)]
    content = b"".join(lines)[:size]
    whole = sum(len(b"".join(lines[: i + 1])) <= size for i in range(3))
    entries, damaged = read_lines(content)
    assert ([event_of(entry) for entry in entries], damaged) == ([reported(step) for step in range(whole)], 0)


@given(st.data())
def test_a_flipped_bit_damages_its_line_alone(data):
    content = bytearray(b"".join(line_of(entry_of(reported(step))) for step in range(3)))
    inside = [i for i, byte in enumerate(content) if byte != 10 and byte ^ 1 != 10]
    content[data.draw(st.sampled_from(inside))] ^= 1
    entries, damaged = read_lines(bytes(content))
    assert (len(entries), damaged) == (2, 1)


def test_marks_divide_the_events_though_a_line_is_damaged(journal):
    for step in range(1, 5):
        journal.append(reported(step))
    journal.mark(2)
    journal.append(reported(5))
    file = journal.folder / "events"
    file.write_bytes(file.read_bytes().replace(b'"step": 1', b'"step": 9'))

    contents = read_journal(journal.folder)
    assert contents.header == {"experiment": "e"}
    assert [event.step for event in contents.written] == [2]
    assert [event.step for event in contents.unwritten] == [3, 4, 5]
    assert contents.damaged == 1


def test_a_running_process_keeps_its_journal_and_an_ended_one_leaves_it(journal):
    with claimed(journal.folder) as lock:
        assert lock is None
    journal.close()
    with claimed(journal.folder) as lock:
        remove_claimed(journal.folder, lock)
    assert not journal.folder.exists()


def test_a_journal_that_is_deleted_while_it_is_looked_at_stays_deleted(journal):
    journal.remove()
    with pytest.raises(FileNotFoundError, match="journal"), claimed(journal.folder):
        pass
    assert not journal.folder.exists()


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_journal_is_private_and_one_that_others_can_write_to_is_not_trusted(journal):
    assert stat.S_IMODE(journal.folder.stat().st_mode) == 0o700
    assert is_own(journal.folder)
    (journal.folder / "events").chmod(0o666)
    assert not is_own(journal.folder)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
def test_a_journal_of_another_user_is_not_trusted(journal):
    os.chown(journal.folder, 12345, 12345)
    assert not is_own(journal.folder)


def test_a_line_that_does_not_fit_leaves_the_journal_as_it_was(journal, monkeypatch):
    journal.append(reported(1))
    before = (journal.folder / "events").read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, line: write(file, line[:5]))
    with pytest.raises(OSError, match="no space left for the journal"):
        journal.append(reported(2))
    assert (journal.folder / "events").read_bytes() == before


def test_journals_of_an_embedded_store_lie_beside_it(journal, tmp_path, monkeypatch):
    monkeypatch.delenv("SEQPIPE_JOURNAL", raising=False)
    prefix = journal_prefix(f"sqlite:///{tmp_path}/mlflow.db")
    assert prefix == tmp_path / "mlflow.db.journal-"
    assert find_journals(prefix) == [journal.folder]


def test_journals_of_a_server_lie_in_the_state_folder_for_all_ways_to_log_in(tmp_path, monkeypatch):
    monkeypatch.delenv("SEQPIPE_JOURNAL", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    prefix = journal_prefix("https://bob:secret@host:5000/")
    assert prefix.parent == tmp_path / "seqpipe" / "journal"
    assert prefix.name.startswith("host-5000-")
    assert prefix == journal_prefix("https://host:5000") != journal_prefix("https://host:5001")


def test_a_variable_chooses_the_folder_of_all_journals(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQPIPE_JOURNAL", str(tmp_path / "here"))
    assert journal_prefix("sqlite:////x/mlflow.db").parent == tmp_path / "here"
    assert journal_prefix("http://host").parent == tmp_path / "here"


def test_a_store_is_known_once_it_was_used(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQPIPE_JOURNAL", str(tmp_path))
    assert not is_known("http://host")
    remember("http://host")
    assert is_known("http://host")
    assert not is_known(f"sqlite:///{tmp_path}/mlflow.db")
