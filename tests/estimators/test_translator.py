"""Texts to texts: training, beam search, persistence and invalid input."""

from __future__ import annotations

import pickle
import unicodedata
from functools import cache

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import Pipeline

from seqpipe.bundle._trust import foreign_types
from seqpipe.estimators import SequenceTranslator
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.transformers import Vocabulary

TINY = {"hidden_size": 8, "source_embedding": 4, "target_embedding": 4, "random_state": 0}


def pairs(n: int = 120, *, seed: int = 0, longest: int = 6) -> tuple[list[str], list[str]]:
    """Return words, and the same words reversed."""
    rng = np.random.default_rng(seed)
    words = ["".join(rng.choice([*"abc"], size=k)) for k in rng.integers(1, longest + 1, size=n)]
    return words, [word[::-1] for word in words]


@cache
def fitted(**changes: object) -> SequenceTranslator:
    return SequenceTranslator(**(TINY | {"max_epochs": 3} | changes)).fit(*pairs())


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["dot", "additive", None])
def test_a_copy_task_is_learnt_within_seconds(attention: str | None) -> None:
    words, _ = pairs(1200, longest=4)
    train, held_out = words[:-100], words[-100:]
    model = SequenceTranslator(hidden_size=32, attention=attention, max_epochs=10, random_state=0).fit(train, train)
    assert model.score(held_out, held_out) > 0.95


def test_the_decoder_looks_at_the_token_that_it_writes() -> None:
    words, mirrored = pairs(800)
    model = SequenceTranslator(hidden_size=32, max_epochs=6, random_state=0).fit(words, mirrored)
    assert model.predict(["abcabc"])[0] == "cbacba"
    (weights,) = model.attention_weights(["abcabc"])
    assert weights.shape == (6, 6)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    assert (np.abs(weights.argmax(axis=1) - np.arange(5, -1, -1)) <= 1).mean() > 0.8


def test_weights_of_a_sample_have_a_row_a_token_written_and_a_column_a_token_read() -> None:
    model, texts = fitted(), ["a", "abcab", "cc"]
    for text, output, weights in zip(texts, model.predict(texts), model.attention_weights(texts)):
        assert weights.shape == (len(output), len(text))
    with pytest.raises(ValueError, match="requires a translator with attention"):
        fitted(attention=None).attention_weights(texts)


def as_words(texts: list[str]) -> list[str]:
    return [" ".join(text) for text in texts]


def as_numbers(texts: list[str]) -> list[list[int]]:
    return [[ord(letter) for letter in text] for text in texts]


@pytest.mark.parametrize(
    ("level", "make"), [("word", as_words), ("token", lambda texts: [[*t] for t in texts]), ("token", as_numbers)]
)
def test_all_kinds_of_tokens_give_the_same(level: str, make) -> None:
    words, mirrored = pairs()
    model = clone(fitted()).set_params(level=level).fit(make(words), make(mirrored))
    expected = make(fitted().predict(words).tolist())
    assert model.predict(make(words)).tolist() == expected
    assert model.score(make(words), expected) == 1.0


def test_the_containers_do_not_matter() -> None:
    words, mirrored = pairs()
    expected = fitted().predict(words).tolist()
    for make in (
        tuple,
        np.array,
        pd.Series,
        lambda texts: np.array(texts, dtype=object),
        lambda t: pd.DataFrame({"t": t}),
    ):
        assert clone(fitted()).fit(make(words), make(mirrored)).predict(make(words)).tolist() == expected


def test_the_target_may_have_another_level() -> None:
    words, mirrored = pairs()
    model = clone(fitted()).set_params(target_level="token").fit(words, [[*text] for text in mirrored])
    assert model.predict(words).tolist() == [[*text] for text in fitted().predict(words)]


def test_a_target_may_be_empty() -> None:
    model = SequenceTranslator(**TINY, max_epochs=60).fit(["a", "b"] * 20, ["x", ""] * 20)
    assert model.predict(["a", "b"]).tolist() == ["x", ""]
    assert model.attention_weights(["b"])[0].shape == (0, 1)


@given(st.lists(st.text("abc", min_size=1, max_size=9), min_size=1, max_size=8))
@settings(max_examples=20, deadline=None)
def test_a_prediction_depends_neither_on_the_batch_nor_on_its_order(texts: list[str]) -> None:
    model = fitted(dtype="float64")
    together = model.predict_n_best(texts, 3)
    for text, best in zip(texts, together):
        (alone,) = model.predict_n_best([text], 3)
        assert [output for output, _ in alone] == [output for output, _ in best]
        np.testing.assert_allclose([score for _, score in alone], [score for _, score in best], rtol=1e-12)
    assert model.predict_n_best(texts[::-1], 3)[0][0][0] == together[-1][0][0]


def test_n_best_begins_with_the_prediction_of_as_wide_a_beam_and_falls() -> None:
    model = clone(fitted()).set_params(beam_width=4).fit(*pairs())
    texts = ["ab", "cba"]
    for best, predicted in zip(model.predict_n_best(texts, 4), model.predict(texts)):
        scores = [score for _, score in best]
        assert best[0][0] == predicted
        assert scores == sorted(scores, reverse=True)
        assert len({output for output, _ in best}) == 4
        assert np.exp(scores).sum() <= 1
    with pytest.raises(ValueError, match="'n' parameter of predict_n_best must be an int >= 1. Got 0"):
        model.predict_n_best(texts, 0)


def test_the_search_may_be_set_after_fit() -> None:
    model = clone(fitted()).fit(*pairs())
    assert {len(text) for text in model.set_params(max_length=2).predict(["abcabc", "a"])} <= {0, 1, 2}
    greedy = model.set_params(max_length="auto").predict_n_best(["abc"], 1)[0][0][1]
    wide = model.set_params(beam_width=30).predict_n_best(["abc"], 1)[0][0][1]
    assert wide >= greedy
    with pytest.raises(ValueError, match="'beam_width' parameter of SequenceTranslator"):
        model.set_params(beam_width=0).predict(["abc"])


def test_the_longest_output_is_half_as_long_again_as_the_longest_target() -> None:
    model = SequenceTranslator(**TINY, max_epochs=1).fit(["a", "bb"], ["xyz", "xyzxyz"])
    assert model.longest_target_ == 6
    assert max(len(output) for output, _ in model.predict_n_best(["ab"], 2000)[0]) == 9


def test_scores_are_those_of_the_predictions() -> None:
    model = fitted()
    words, mirrored = pairs()
    predicted = model.predict(words).tolist()
    right = [a == b for a, b in zip(predicted, mirrored)]
    assert model.score(words, mirrored) == pytest.approx(np.mean(right))
    weight = np.arange(len(words))
    assert model.score(words, mirrored, weight) == pytest.approx(np.average(right, weights=weight))
    assert model.token_accuracy(words, predicted) == 1.0
    assert model.edit_distance(words, predicted) == 0.0
    assert model.edit_distance(words, [text + "zz" for text in predicted]) == 2.0
    assert model.score(words, ["tokens it never saw: é"] * len(words)) == 0.0


def test_fits_repeat_pickle_and_leave_their_data_alone() -> None:
    words, mirrored = pairs()
    before = list(words), list(mirrored)
    model = clone(fitted()).set_params(dropout=0.2, scheduled_sampling=0.5).fit(words, mirrored)
    assert (words, mirrored) == before
    expected = model.predict_n_best(words, 2)
    assert clone(model).fit(words, mirrored).predict_n_best(words, 2) == expected
    assert model.fit(words, mirrored).predict_n_best(words, 2) == expected
    assert pickle.loads(pickle.dumps(model)).predict_n_best(words, 2) == expected


def test_a_file_without_pickle_holds_no_foreign_type_and_predicts_the_same(tmp_path) -> None:
    model, texts = fitted(decoder_cell="lstm", decoder_hidden_size=5, unknown="token"), ["ab", "zz"]
    skops.io.dump(model, tmp_path / "model.skops")
    found = skops.io.get_untrusted_types(file=tmp_path / "model.skops")
    assert not foreign_types(found)
    loaded = skops.io.load(tmp_path / "model.skops", trusted=found)
    assert loaded.predict_n_best(texts, 2) == model.predict_n_best(texts, 2)
    assert isinstance(loaded.source_vocabulary_, Vocabulary)


def test_a_search_over_cells_inside_a_pipeline_and_predictions_by_fold() -> None:
    words, mirrored = pairs(40)
    pipeline = Pipeline([("model", SequenceTranslator(**TINY, max_epochs=2))])
    grid = {"model__cell": ["rnn", "lstm", "mgu"], "model__attention": ["additive", None]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(words, mirrored)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert cross_val_predict(SequenceTranslator(**TINY, max_epochs=2), words, mirrored, cv=2).shape == (40,)


def test_a_weight_of_two_is_the_sample_given_twice() -> None:
    words, mirrored = pairs(8)
    twice = SequenceTranslator(**TINY, dtype="float64", batch_size=16, max_epochs=5)
    weighted = clone(twice).fit(words, mirrored, sample_weight=[2] * 4 + [1] * 4)
    repeated = clone(twice).fit(words[:4] + words, mirrored[:4] + mirrored)
    for a, b in zip(weighted.predict_n_best(words, 3), repeated.predict_n_best(words, 3)):
        np.testing.assert_allclose([score for _, score in a], [score for _, score in b], rtol=1e-6)


def test_samples_of_weight_zero_are_as_if_they_were_not_there() -> None:
    words, mirrored = pairs(20)
    model = SequenceTranslator(**TINY, max_epochs=2)
    weight = np.r_[np.ones(20), 0.0]
    some = clone(model).fit([*words, "xyz"], [*mirrored, "zyx"], sample_weight=weight)
    assert some.target_vocabulary_.tokens == ("a", "b", "c")
    assert some.predict_n_best(words, 2) == clone(model).fit(words, mirrored, np.ones(20)).predict_n_best(words, 2)


def test_early_stopping_watches_the_loss_of_held_out_texts() -> None:
    words, mirrored = pairs(60)
    model = SequenceTranslator(**TINY, max_epochs=30, early_stopping=True, n_iter_no_change=2, lr=0.1).fit(
        words, mirrored
    )
    assert all(np.isfinite(epoch["valid_loss"]) for epoch in model.history_)
    assert model.n_iter_ < 30


def test_partial_fit_goes_on_and_knows_the_first_vocabulary() -> None:
    words, mirrored = pairs()
    model = SequenceTranslator(**TINY).partial_fit(words, mirrored)
    losses = [model.partial_fit(words, mirrored).history_[-1]["train_loss"] for _ in range(5)]
    assert losses[-1] < model.history_[0]["train_loss"]
    with pytest.raises(InvalidSequencesError, match="y, sample 0: The character 'z' at step 1"):
        model.partial_fit(["ab"], ["az"])


def test_unknown_tokens_are_refused_with_their_place_or_read_as_one() -> None:
    with pytest.raises(InvalidSequencesError, match="X, sample 1: The character 'z' at step 2"):
        fitted().predict(["ab", "abz"])
    tolerant = fitted(unknown="token")
    assert tolerant.predict_n_best(["az", "zz"], 2) == tolerant.predict_n_best(["aé", "\n "], 2)
    rare = SequenceTranslator(**TINY, max_epochs=1, unknown="token", min_count=2).fit(["aab", "bbz"], ["x", "y"])
    assert rare.source_vocabulary_.tokens == ("a", "b")


def test_wrappers_and_a_learned_state_go_around_both_sides() -> None:
    model = fitted(wrappers=("dropout", "layer_norm"), initial_state="learned", num_layers=2, memory="recompute")
    assert model.predict_n_best(["abc"], 2) == pickle.loads(pickle.dumps(model)).predict_n_best(["abc"], 2)


def test_the_engine_that_compiles_runs_both_sides(compiled) -> None:
    model = fitted(cell="mgu", verbose=0)
    assert np.isfinite(model.history_[-1]["train_loss"])
    assert all(np.isfinite(score) for _, score in model.predict_n_best(["abc"], 3)[0])


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"attention": "cosine"}, "'attention' parameter of SequenceTranslator"),
        ({"level": "letter"}, "'level' parameter of SequenceTranslator"),
        ({"scheduled_sampling": 1.5}, "'scheduled_sampling' parameter of SequenceTranslator"),
        ({"beam_width": 0}, "'beam_width' parameter of SequenceTranslator"),
        ({"length_penalty": -1.0}, "'length_penalty' parameter of SequenceTranslator"),
        ({"max_length": 0}, "'max_length' parameter of SequenceTranslator"),
        ({"decoder_cell": "gruu"}, "'cell' parameter of SequenceTranslator's decoder .*Did you mean 'gru'"),
        ({"min_count": 2}, "min_count.*unknown='token'"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(params: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SequenceTranslator(**TINY, max_epochs=1).set_params(**params).fit(["ab"], ["b"])


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        (["ab", "b"], ["b"], "inconsistent numbers of samples: .2, 1."),
        (["ab"], None, "requires y to be passed"),
        ([], [], "0 sample"),
        (["ab", ""], ["b", "a"], "X, sample 1 has no tokens"),
        (["ab", None], ["b", "a"], "X, sample 1 is missing"),
        (["ab", "b"], ["b", np.nan], "y, sample 1 is missing"),
        (["ab", 3], ["b", "a"], "X, sample 1 must be a string"),
        ([["a"], ["b"]], ["b", "a"], "X, sample 0 must be a string .*level='token'"),
        ("ab", ["b"], "wrap a single text in a list"),
        (["ab"], [""], "no token"),
    ],
)
def test_data_that_cannot_be_is_refused_with_its_place(X, y, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SequenceTranslator(**TINY, max_epochs=1).fit(X, y)


def test_a_fit_that_fails_leaves_no_fitted_estimator() -> None:
    model = clone(fitted()).fit(*pairs())
    with pytest.raises(ValueError, match="inconsistent"):
        model.fit(["ab"], ["a", "b"])
    with pytest.raises(ValueError, match="not fitted"):
        model.predict(["ab"])


def test_both_forms_of_a_letter_are_one_in_source_and_target() -> None:
    sources, targets = ["\u00e9a", "a\u00e9"] * 8, ["a\u00e9", "\u00e9a"] * 8
    decomposed = [[unicodedata.normalize("NFD", text) for text in texts] for texts in (sources, targets)]
    model = SequenceTranslator(**TINY, max_epochs=2)
    predictions = model.fit(sources, targets).predict(decomposed[0])
    assert predictions.tolist() == clone(model).fit(*decomposed).predict(sources).tolist()
    assert model.score(sources, targets) == model.score(*decomposed)
    with pytest.raises(InvalidSequencesError, match="X, sample 0: The character .e. at step 0"):
        clone(model).set_params(normalize=None).fit(sources, targets).predict(decomposed[0])


def test_targets_that_are_all_empty_are_named() -> None:
    with pytest.raises(InvalidSequencesError, match="^y: The texts have no tokens: all of them are empty"):
        SequenceTranslator(**TINY).fit(["ab", "ba"], ["", ""])
