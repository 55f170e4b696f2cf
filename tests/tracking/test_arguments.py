"""Arguments that a tracker refuses at the call, and entries that cannot be written."""

import numpy as np
import pytest
from sklearn.base import clone

from seqpipe.exceptions import TrackingWarning
from seqpipe.tracking import MLflowTracker
from seqpipe.tracking._events import EntriesAdded, FitEnded
from seqpipe.tracking._lines import entry_of
from seqpipe.tracking._outcome import now

HALF = "\ud800"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda t: t.log_metrics(["a"]), "log_metrics: metrics must be a mapping of names to numbers. Got ..a.., of type list"),
        (lambda t: t.log_metrics({1: 1.0}), "A name in log_metrics: metrics must be a text. Got 1, of type int"),
        (lambda t: t.log_metrics({"a": None}), "log_metrics: metrics must have one number per name. Got None"),
        (lambda t: t.log_metrics({"a": np.ones(3)}), r"for 'a' instead \(it has shape \(3,\)\)"),
        (lambda t: t.log_baseline(3, {"a": 1}), "log_baseline: name must be a text"),
        (lambda t: t.log_baseline("naive", {2: 1}), "A name in log_baseline: metrics"),
        (lambda t: t.log_held_out({3: 1.0}, [[1.0]]), "A name in log_held_out: metrics"),
        (lambda t: t.log_held_out({}, [[1.0]], primary=1), "log_held_out: primary must be a text"),
        (lambda t: t.set_tags(["a"]), "set_tags: tags must be a mapping of names to values"),
        (lambda t: t.set_tags({5: "x"}), "A name in set_tags: tags must be a text"),
        (lambda t: t.log_text(b"x", "a.txt"), "log_text: text must be a text. Got b'x', of type bytes"),
        (lambda t: t.log_text("x", 3), "log_text: name must be a text"),
        (lambda t: t.log_table({"a": [1]}, "t"), "log_table: table must be a DataFrame. Got .*, of type dict"),
        (lambda t: t.log_figure("x", "a.png"), "log_figure: figure must be a matplotlib figure. Got 'x', of type str"),
        (lambda t: t.log_image(np.zeros((2, 2)), 3), "log_image: key must be a text"),
        (lambda t: t.log_image(np.zeros((2, 2)), "a", step="x"), "log_image: step must be an integer. Got 'x'"),
        (lambda t: t.group(None).__enter__(), "group: name must be a text. Got None"),
        (lambda t: t.group("g", ["a"]).__enter__(), "group: params must be a mapping of names to values"),
        (lambda t: t.group("g", {1: 2}).__enter__(), "A name in group: params must be a text"),
        (lambda _: MLflowTracker(5), "The name of the experiment must be a text. Got 5, of type int"),
        (lambda _: MLflowTracker(run_name=5), "run_name must be a text"),
        (lambda _: MLflowTracker(tags=["a"]), "tags must be a mapping of names to values"),
        (lambda _: MLflowTracker(tags={1: "a"}), "A name in tags must be a text"),
        (lambda _: MLflowTracker(model_metadata=["a"]), "model_metadata must be a mapping"),
        (lambda _: MLflowTracker(model_metadata={"a": {1, 2}}), "model_metadata must hold JSON types. 'a' cannot be written"),
    ],
)  # fmt: skip
def test_an_argument_of_another_type_is_named_with_what_is_expected(call, expected):
    with pytest.raises(TypeError, match=expected):
        call(MLflowTracker())


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda t: t.log_metrics({"a": "x"}), "one number per name. Got 'x'.*for 'a'"),
        (lambda t: t.log_metrics({"a": 10**400}), "one number per name"),
        (lambda t: t.set_tags({HALF: "x"}), "must be a text that can be written, but '.ud800' has half of a surrogate"),
        (lambda t: t.group("").__enter__(), "group: name must not be empty"),
        (lambda t: t.group(HALF).__enter__(), "group: name must be a text that can be written"),
        (lambda _: MLflowTracker(""), "The name of the experiment must not be empty"),
        (
            lambda _: MLflowTracker("x" * 501),
            "The name of the experiment has at most 500 characters in MLflow. Got 501",
        ),
        (lambda _: MLflowTracker(HALF), "The name of the experiment must be a text that can be written"),
        (lambda _: MLflowTracker(model_metadata={"a": HALF}), "'a' cannot be written"),
    ],
)
def test_a_value_that_cannot_be_written_is_named(call, expected):
    with pytest.raises(ValueError, match=expected):
        call(MLflowTracker())


def test_a_refused_call_leaves_the_run_as_it_was(net, data, make_tracker, runs):
    with make_tracker() as tracker:
        net().set_callbacks(tracker).fit(*data)
        for write in (lambda: tracker.log_metrics({1: 1.0}), lambda: tracker.set_tags({5: "x"})):
            with pytest.raises(TypeError, match="must be a text"):
                write()
        tracker.set_tags({"half": HALF})
        tracker.log_metrics({"good": np.float32(0.5)})
    (run,) = runs()
    assert (run.info.status, run.data.metrics["good"], run.data.tags["half"]) == ("FINISHED", 0.5, "\\ud800")


def test_an_error_whose_message_cannot_be_written_ends_the_run(net, data, make_tracker, runs):
    with pytest.raises(ValueError, match="broken"):
        net(fail=ValueError(f"broken {HALF}")).set_callbacks(make_tracker()).fit(*data)
    (run,) = runs()
    assert (run.info.status, run.data.tags["seqpipe.error"]) == ("FAILED", "ValueError: broken \\ud800")


@pytest.mark.parametrize("is_server", [False, True])
def test_an_entry_that_cannot_be_written_at_all_costs_no_other(net, data, make_tracker, runs, monkeypatch, is_server):
    with make_tracker() as tracker:
        net().set_callbacks(tracker).fit(*data)
        if is_server:
            monkeypatch.setattr(tracker._writer._publisher, "_direct", None)
        tracker._tree.root.tags["half"] = HALF
        tracker.log_metrics({"good": 3.0})
        with pytest.warns(TrackingWarning, match=r"Left out of the runs in .*Tag 'half'"):
            tracker.__exit__(None, None, None)
    (run,) = runs()
    assert (run.info.status, run.data.metrics["good"]) == ("FINISHED", 3.0)


def test_a_run_whose_end_cannot_be_applied_is_ended_and_named(net, data, make_tracker, runs):
    tracker = make_tracker()
    model = net().set_callbacks(tracker)
    with tracker.group("broken"):
        clone(model).fit(*data)
        tracker._writer.receive(FitEnded(tree=tracker._group, time=now(), outcome=None, held=False))
        with pytest.warns(TrackingWarning, match=r"Left out of the runs in .*FitEnded \(AttributeError"):
            tracker._flush()
    assert [(run.info.run_name, run.info.status) for run in runs("group")] == [("broken", "FAILED")]


def test_an_event_whose_names_are_no_texts_is_refused_by_the_journal():
    event = EntriesAdded(tree=None, time=0, to="root", metrics={1: 1.0}, tags={})
    with pytest.raises(TypeError, match="names in metrics must be texts. Got 1"):
        entry_of(event)
