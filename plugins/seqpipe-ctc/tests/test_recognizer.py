"""`CTCRecognizer`: what it learns, scikit-learn's contract, and errors."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from seqpipe_ctc import CTCRecognizer, make_tones, prefix_beam_search
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

import seqpipe
from seqpipe import Sequences

TINY = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def tones() -> tuple[list[np.ndarray], list[str]]:
    return make_tones(260, random_state=0)


@pytest.fixture(scope="module")
def fitted(tones: tuple[list[np.ndarray], list[str]]) -> CTCRecognizer:
    X, y = tones
    return CTCRecognizer(hidden_size=32, bidirectional=True, max_epochs=30, random_state=0).fit(X[:200], y[:200])


def test_it_learns_the_order_of_tones(fitted: CTCRecognizer, tones) -> None:
    X, y = tones
    assert fitted.score(X[200:], y[200:]) > 0.8


def test_its_score_with_beam_search_is_as_good(fitted: CTCRecognizer, tones) -> None:
    X, y = tones
    beam = pickle.loads(pickle.dumps(fitted)).set_params(decoding="beam", beam_size=5)
    assert beam.score(X[200:], y[200:]) > 0.8


def test_beam_search_decodes_the_predicted_probabilities(fitted: CTCRecognizer, tones) -> None:
    X = tones[0][200:205]
    beam = pickle.loads(pickle.dumps(fitted)).set_params(decoding="beam", beam_size=3)
    codes = [prefix_beam_search(log_y, 3) for log_y in fitted.predict_log_proba(X)]
    assert beam.predict(X) == ["".join("abcd"[code - 1] for code in each) for each in codes]


def test_the_probabilities_of_a_step_sum_to_one(fitted: CTCRecognizer, tones) -> None:
    X = tones[0][:3]
    found = fitted.predict_log_proba(X)
    assert [each.shape for each in found] == [(len(x), 5) for x in X]
    np.testing.assert_allclose(np.exp(np.concatenate(found)).sum(axis=1), 1)


def test_its_history_is_the_loss_per_step(tones) -> None:
    X, y = [x[:20] for x in tones[0][:40]], [labels[:2] for labels in tones[1][:40]]
    params = {"early_stopping": False, "lr": 1e-9, "batch_size": 40}
    model = CTCRecognizer(hidden_size=4, max_epochs=1, random_state=0, **params).fit(X, y)
    codes = [["abcd".index(label) + 1 for label in labels] for labels in y]
    log_y = torch.nn.utils.rnn.pad_sequence([torch.tensor(each) for each in model.predict_log_proba(X)])
    lengths, n_labels = [len(x) for x in X], [len(each) for each in codes]
    loss = torch.nn.CTCLoss(reduction="sum")(log_y, torch.tensor(np.concatenate(codes)), lengths, n_labels) / sum(
        lengths
    )
    assert model.history_[0]["train_loss"] == pytest.approx(float(loss), rel=1e-4)


def test_clones_have_the_same_parameters() -> None:
    model = CTCRecognizer("lstm", decoding="beam", beam_size=3, network_params={"weight_decay": 0.1})
    assert clone(model).get_params() == model.get_params()


def test_a_pickled_model_predicts_the_same(fitted: CTCRecognizer, tones) -> None:
    assert pickle.loads(pickle.dumps(fitted)).predict(tones[0][:20]) == fitted.predict(tones[0][:20])


def test_a_saved_model_predicts_the_same(fitted: CTCRecognizer, tones, tmp_path: Path) -> None:
    seqpipe.save(fitted, tmp_path / "tones.seqpipe")
    assert seqpipe.load(tmp_path / "tones.seqpipe").predict(tones[0][:20]) == fitted.predict(tones[0][:20])


def test_the_cell_can_be_searched(tones) -> None:
    X, y = tones
    search = GridSearchCV(CTCRecognizer(**TINY), {"cell": ["rnn", "gru"]}, cv=2)
    search.fit(X[:30], y[:30])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_all_forms_of_X_are_equivalent(tones) -> None:
    X, y = [x[:15] for x in tones[0][:20]], [labels[:2] for labels in tones[1][:20]]
    X = [np.pad(x, ((0, 15 - len(x)), (0, 0))) for x in X]
    found = [
        CTCRecognizer(**TINY).fit(form, y).predict_log_proba(form)
        for form in (X, np.array(X), Sequences.from_arrays(X))
    ]
    for other in found[1:]:
        np.testing.assert_array_equal(np.concatenate(found[0]), np.concatenate(other))


def test_labels_in_lists_are_predicted_as_lists(tones) -> None:
    X, y = tones
    lists = [["abcd".index(tone) for tone in labels] for labels in y[:30]]
    found = CTCRecognizer(hidden_size=16, max_epochs=15, random_state=0).fit(X[:30], lists).predict(X[:30])
    assert {type(label) for labels in found for label in labels} == {int}


def test_further_parameters_reach_the_network(tones) -> None:
    X, y = tones
    model = CTCRecognizer(**TINY, network_params={"n_members": 2, "weight_decay": 0.5}).fit(X[:20], y[:20])
    assert len(model.network_.members_) == 2
    assert model.network_.weight_decay == 0.5


def test_samples_without_labels_are_fitted(tones) -> None:
    X, y = tones
    assert len(CTCRecognizer(**TINY).fit(X[:20], [*y[:19], ""]).predict(X[:20])) == 20


@pytest.mark.parametrize(("labels", "needed"), [("abcd", 4), ("aab", 4)])
def test_a_sequence_with_too_few_steps_is_an_error_that_names_the_sample(labels: str, needed: int, tones) -> None:
    X, y = [tones[0][0], tones[0][1][:3]], [tones[1][0], labels]
    message = f"sample 1 has 3 steps, and its {len(labels)} labels need {needed}"
    with pytest.raises(ValueError, match=message):
        CTCRecognizer(**TINY).fit(X, y)
    with pytest.raises(ValueError, match=re.escape(message.replace("sample 1", "sample 1 (id 'B7')"))):
        CTCRecognizer(**TINY).fit(Sequences.from_arrays(X, ids=["A", "B7"]), y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ("ab", "a sequence of labels, or a string, per sample"),
        (None, "a sequence of labels, or a string, per sample"),
        (["ab", 3], "for sample 1"),
        (["ab", [[1], [2]]], "for sample 1"),
        (["ab"], "same length"),
        (["", []], "at least one label"),
        (["ab", [1, 2]], "of one type"),
    ],
)
def test_invalid_labels_are_errors(y: object, message: str, tones) -> None:
    with pytest.raises(ValueError, match=message):
        CTCRecognizer(**TINY).fit(tones[0][:2], y)


@pytest.mark.parametrize(("name", "value"), [("decoding", "viterbi"), ("beam_size", 0), ("cell", "gruu")])
def test_invalid_parameters_are_errors_that_name_them(name: str, value: object, tones) -> None:
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        CTCRecognizer(**TINY).set_params(**{name: value}).fit(tones[0][:20], tones[1][:20])


@pytest.mark.parametrize("name", ["loss_on", "net__criterion", "scale_targets", "tbptt"])
def test_parameters_of_the_network_that_would_change_the_loss_are_errors(name: str, tones) -> None:
    with pytest.raises(ValueError, match=f"Got '{name}': leave it out"):
        CTCRecognizer(**TINY, network_params={name: None}).fit(tones[0][:20], tones[1][:20])


def test_predicting_before_fitting_is_an_error(tones) -> None:
    with pytest.raises(NotFittedError):
        CTCRecognizer().predict(tones[0])
