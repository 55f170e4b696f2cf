"""Callbacks of a fit: the same with scikit-learn's classes and with the stand-ins for them."""

from __future__ import annotations

import pickle

import pytest

EPOCH = (("epoch", 0),)


def test_a_fit_notifies_of_its_begin_its_epochs_and_its_end(guess, diary, data):
    guess(max_epochs=1).set_callbacks(diary).fit(*data)

    assert diary.entries == [
        ("opened", (), "fit"),
        ("began", (), "fit", True),
        ("began", EPOCH, "epoch", False),
        ("ended", EPOCH, "epoch", {"epoch": 1}),
        ("ended", (), "fit", {"n_parameters": 5}),
        ("closed", (), "fit"),
    ]


def test_a_callback_may_stop_a_fit(guess, make_diary, data):
    diary = make_diary(stops=lambda metadata: metadata.get("epoch") == 2)
    assert len(guess(max_epochs=9).set_callbacks(diary).fit(*data).history_) == 2


def test_a_fit_that_raises_is_closed(guess, diary, data):
    with pytest.raises(OSError, match="gone"):
        guess(fail=OSError("gone")).set_callbacks(diary).fit(*data)
    assert diary.entries[-1] == ("closed", (), "fit")


def test_a_callback_that_refuses_ends_the_fit_and_is_closed(guess, diary, data, monkeypatch):
    def refuse(estimator, task):
        raise OSError("no store")

    monkeypatch.setattr(diary, "opened", refuse)
    model = guess().set_callbacks(diary)
    with pytest.raises(OSError, match="no store"):
        model.fit(*data)
    assert diary.entries == [("closed", (), "fit")]
    monkeypatch.undo()
    model.fit(*data)


def test_each_fit_is_a_tree_of_its_own(guess, diary, data, monkeypatch):
    trees = []
    monkeypatch.setattr(diary, "opened", lambda estimator, task: trees.append(task.tree))
    model = guess().set_callbacks(diary)
    model.fit(*data)
    model.fit(*data)
    assert len(set(trees)) == 2


def test_a_thread_of_a_fit_that_was_interrupted_is_asked_to_stop(guess, make_diary, data):
    diary = make_diary()
    diary.stops = lambda metadata: diary._under_way.clear()
    assert len(guess(max_epochs=9).set_callbacks(diary).fit(*data).history_) == 2


def test_a_copy_in_a_worker_asks_for_no_stop(guess, diary, data):
    model = guess().set_callbacks(diary)
    context = model._init_callback_context(max_subtasks=None)
    diary.stops = None
    copied = pickle.loads(pickle.dumps(diary))
    assert set(copied._under_way) == {context.root_uuid}


def test_estimators_without_callbacks_fit_as_ever(guess, data):
    assert len(guess().fit(*data).history_) == 2
    assert len(guess().set_callbacks().fit(*data).history_) == 2
