"""Ensembles of networks of texts: the mean of their probabilities of each next token."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import seqpipe
from seqpipe import LanguageModel, SequenceCaptioner, SequenceTranslator
from seqpipe.testing import check_estimator

#: Two epochs are not enough to be better than a constant.
pytestmark = pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")
SHORT: dict[str, Any] = {"hidden_size": 4, "max_epochs": 2, "random_state": 0, "lr": 0.1}
SMALL = {**SHORT, "source_embedding": "one_hot", "target_embedding": "one_hot"}
rng = np.random.default_rng(0)
TEXTS = ["".join(rng.choice([*"ab"], size=size)) for size in rng.integers(1, 5, size=24)]
KINDS = np.where([text[0] == "a" for text in TEXTS], "first", "second")
VECTORS = rng.normal(size=(24, 2))
LONG = "".join(rng.choice([*"abc"], size=300))
CASES: dict[str, tuple[Any, Any, Any]] = {
    "language": (LanguageModel(**SHORT), TEXTS, None),
    "language with classes": (LanguageModel(**SHORT, cell="lstm", early_stopping=True), TEXTS, KINDS),
    "language of one text": (LanguageModel(**SHORT), LONG, None),
    "translation": (SequenceTranslator(**SMALL, scheduled_sampling=0.3), TEXTS, [t[::-1] for t in TEXTS]),
    "translation without attention": (SequenceTranslator(**SMALL, cell="lstm", attention=None), TEXTS, TEXTS),
    "captions": (SequenceCaptioner(**SHORT), VECTORS, TEXTS),
}
LANGUAGE = [name for name in CASES if name.startswith("language")]
WRITERS = [name for name in CASES if not name.startswith("language")]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Limit torch to one thread: the split of a batch determines the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def ensemble(name: str, **more: Any) -> Any:
    model, X, y = CASES[name]
    return clone(model).set_params(n_members=3, **more).fit(X, y)


def results(model: Any, X: Any) -> Any:
    """Return what depends on all bits of the networks' outputs."""
    return model.predict_n_best(X, 3) if hasattr(model, "predict_n_best") else model.score_samples(X).tolist()


@pytest.mark.parametrize("name", CASES)
def test_a_member_is_the_estimator_fitted_alone_with_its_seed(name: str) -> None:
    model, X, y = CASES[name]
    members = ensemble(name).members_
    assert len({member.random_state for member in members}) == 3
    for member in members:
        alone = clone(model).set_params(random_state=member.random_state).fit(X, y)
        assert results(member, X) == results(alone, X)


# ---- language models


def test_probabilities_of_the_next_token_are_the_mean_of_those_of_the_members() -> None:
    begun = ["", "a", "abba"]
    fitted = ensemble("language")
    np.testing.assert_allclose(
        fitted.predict_proba(begun), np.mean(fitted.member_predictions(begun), axis=0), rtol=1e-5
    )
    assert np.std(fitted.member_predictions(begun), axis=0).max() > 1e-3


def test_probabilities_for_a_class_are_the_mean_of_those_of_the_members() -> None:
    begun, kinds = ["", "a", "abba"], ["first", "second", "first"]
    fitted = ensemble("language with classes")
    of_each = [member.predict_proba(begun, kinds) for member in fitted.members_]
    np.testing.assert_allclose(fitted.predict_proba(begun, kinds), np.mean(of_each, axis=0), rtol=1e-5)


@pytest.mark.parametrize("kind", ["first", "second", None])
def test_a_text_is_as_likely_as_its_tokens_one_after_the_other(kind: str | None) -> None:
    fitted = ensemble("language with classes", dtype="float64")
    text, kinds = "abbab", None if kind is None else [kind]
    numbers = fitted.vocabulary_.encode(text, end=True)
    by_token = [fitted.predict_proba([text[:t]], kinds)[0, number] for t, number in enumerate(numbers)]
    assert fitted.score_samples([text], kinds)[0] == pytest.approx(np.log(by_token).sum(), rel=1e-9)


def test_the_state_of_every_member_is_carried_over_the_parts_of_a_long_text() -> None:
    fitted = ensemble("language of one text", dtype="float64")
    text = LONG * 4  # longer than what is processed at once
    after_all = fitted.predict_proba([text])[0, fitted.vocabulary_.encode("b")[0]]
    assert fitted.score_samples([text, "b"])[1] == pytest.approx(np.log(after_all), rel=1e-9)


def test_the_coldest_text_takes_the_token_with_the_highest_mean_probability() -> None:
    fitted = ensemble("language of one text")
    text = "ab"
    for token in fitted.stream_generate("ab", length=12, temperature=0):
        mean = np.mean(fitted.member_predictions([text]), axis=0)[0]
        assert token == fitted.vocabulary_.names[mean[1:].argmax() + 1]  # the start is never generated
        text += token
    assert fitted.generate("ab", length=12, temperature=0) == [text]


def test_tokens_are_drawn_with_the_mean_probabilities() -> None:
    fitted = ensemble("language")
    starts = np.array([text[:1] or "<end>" for text in fitted.generate(n=4000, length=1, random_state=0)])
    expected = np.mean(fitted.member_predictions([""]), axis=0)[0]
    for name in ("a", "b", "<end>"):
        wanted = expected[fitted.vocabulary_.names.index(name)] / expected[1:].sum()
        assert (starts == name).mean() == pytest.approx(wanted, abs=0.03)


# ---- translators and captioners


def probability(fitted: Any, x: Any, text: str) -> float:
    """Return the probability of a text: the product over its tokens of the mean over members, given the true ones."""
    samples = fitted.as_samples([x], [text])
    inputs, targets = (torch.from_numpy(each[0])[None] for each in (samples.X, samples.y))
    with torch.no_grad():
        of_each = [member.net_.module_.eval()(inputs, None, targets)[0].softmax(dim=1) for member in fitted.members_]
    of_tokens = torch.stack(of_each).mean(dim=0).gather(1, targets[0].long())
    return float(of_tokens.prod())


@pytest.mark.parametrize("name", WRITERS)
def test_the_beam_finds_the_text_with_the_highest_mean_probabilities(name: str) -> None:
    fitted, X = clone(ensemble(name)), CASES[name][1]
    fitted.set_params(dtype="float64", max_length=3, beam_width=20).fit(X, CASES[name][2])
    every = ["".join(letters) for n in range(3) for letters in product("ab", repeat=n)]
    for i in range(3):
        found = fitted.predict_n_best(X[i : i + 1], 15)[0]
        scores = {text: np.exp(score) for text, score in found}
        assert sum(scores.values()) == pytest.approx(1)  # texts of three tokens have no end
        expected = [probability(fitted, X[i], text) for text in every]
        np.testing.assert_allclose([scores[text] for text in every], expected, rtol=1e-9)
        assert fitted.predict(X[i : i + 1])[0] == max(scores, key=scores.__getitem__)


@pytest.mark.parametrize("name", WRITERS)
def test_the_texts_of_each_network_are_found_by_the_same_search(name: str) -> None:
    fitted, X = ensemble(name), CASES[name][1][:6]
    expected = [member.predict(X).tolist() for member in fitted.members_]
    assert [texts.tolist() for texts in fitted.member_predictions(X)] == expected
    shorter = pickle.loads(pickle.dumps(fitted)).set_params(max_length=1)
    assert {len(text) for texts in shorter.member_predictions(X) for text in texts} <= {0, 1}


def test_attention_weights_are_the_mean_of_those_of_the_members() -> None:
    fitted, texts = ensemble("translation"), TEXTS[:5]
    written = fitted.predict(texts)
    samples = fitted.as_samples(texts, written)
    found = fitted.attention_weights(texts)
    assert [weights.shape for weights in found] == [(len(a), len(b)) for a, b in zip(written, texts)]
    for i, weights in enumerate(found):
        x, y = (torch.from_numpy(each[i])[None] for each in (samples.X, samples.y))
        with torch.no_grad():
            of_each = [member.net_.module_.attended(x, None, y)[0] for member in fitted.members_]
        np.testing.assert_allclose(weights, torch.stack(of_each).mean(dim=0)[:-1], rtol=1e-5, atol=1e-7)


# ---- persistence, and fits


@pytest.mark.parametrize("name", ["language with classes", "translation", "captions"])
def test_a_loaded_ensemble_predicts_the_same_bits(name: str, tmp_path: Path) -> None:
    fitted, X = ensemble(name), CASES[name][1]
    seqpipe.save(fitted, tmp_path / "model")
    for loaded in (pickle.loads(pickle.dumps(fitted)), seqpipe.load(tmp_path / "model")):
        assert results(loaded, X) == results(fitted, X)
        assert loaded.net_ is loaded.members_[0].net_
        assert len(loaded.members_) == 3


@pytest.mark.parametrize("name", ["language", "translation", "captions"])
def test_an_ensemble_keeps_the_contract(name: str) -> None:
    check_estimator(clone(CASES[name][0]).set_params(n_members=2))


@pytest.mark.parametrize("name", ["language with classes", "captions"])
def test_a_fit_that_continues_trains_every_member(name: str) -> None:
    model, X, y = CASES[name]
    model = clone(model).set_params(n_members=2)
    for _ in range(2):
        model.partial_fit(X, y)
    assert [len(member.history_) for member in model.members_] == [2, 2]
    with pytest.raises(ValueError, match=r"Got n_members=3 after a fit with 2\. Fit with warm_start=False"):
        model.set_params(warm_start=True, n_members=3).fit(X, y)


@pytest.mark.parametrize("name", ["language", "captions"])
def test_the_number_of_networks_is_searched(name: str) -> None:
    model, X, y = CASES[name]
    search = GridSearchCV(model, {"n_members": [1, 2]}, cv=2, error_score="raise").fit(X, y)
    assert len(search.best_estimator_.members_) in (0, 2)
