"""The language model: likelihoods, the state over long texts, classes, generation."""

from __future__ import annotations

import pickle
import pickletools
import unicodedata

import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline

from seqpipe.bundle._trust import foreign_types
from seqpipe.estimators import LanguageModel
from seqpipe.estimators._language_data import auto_hidden_size
from seqpipe.exceptions import DataWarning, InvalidSequencesError

TINY = {"hidden_size": 8, "max_epochs": 2, "random_state": 0}
NAMES = ["anna", "hannah", "nan", "an", "ha"] * 4
CLASSES = np.array(["long", "long", "short", "short", "short"] * 4)
TEXT = "the cat sat on the mat. the dog sat on the log. " * 20


@pytest.fixture(scope="module")
def names() -> LanguageModel:
    return LanguageModel(**{**TINY, "hidden_size": 12, "max_epochs": 120}).fit(NAMES)


@pytest.fixture(scope="module")
def of_classes() -> LanguageModel:
    return LanguageModel(**{**TINY, "hidden_size": 12, "max_epochs": 150}).fit(NAMES, CLASSES)


@pytest.fixture(scope="module")
def text() -> LanguageModel:
    return LanguageModel(**{**TINY, "hidden_size": 24, "max_epochs": 120}).fit(TEXT)


def log_probability(model: LanguageModel, numbers: list[int], label: int | None = None) -> float:
    """Return the sum of log probabilities, computed by the network step by step."""
    network, state, total = model.net_.module_.eval(), None, 0.0
    before = model.vocabulary_.start
    for number in numbers:
        step = [before] if label is None else [before, label]
        with torch.no_grad():
            logits, state = network.advance(torch.tensor([[step]], dtype=torch.float32), None, state)
        total += float(logits[0, 0].double().log_softmax(0)[number])
        before = number
    return total


# ---- likelihoods


def test_a_text_is_as_likely_as_its_tokens_and_its_end(names: LanguageModel) -> None:
    expected = [log_probability(names, names.vocabulary_.encode(text, end=True).tolist()) for text in ("anna", "ha")]
    np.testing.assert_allclose(names.score_samples(["anna", "ha"]), expected, rtol=1e-5)
    bits = -sum(expected) / np.log(2) / 8  # ends count
    assert names.bits_per_token(["anna", "ha"]) == pytest.approx(bits, rel=1e-5)
    assert names.score(["anna", "ha"]) == pytest.approx(-bits, rel=1e-5)


def test_probabilities_of_the_next_token_sum_to_one_and_agree_with_likelihoods(names: LanguageModel) -> None:
    begun = ["", "h", "han"]
    found = names.predict_proba(begun)
    assert found.shape == (3, len(names.vocabulary_))
    np.testing.assert_allclose(found.sum(axis=1), 1)
    by_hand = np.log([found[0, names.vocabulary_.encode("h")[0]], found[1, names.vocabulary_.encode("a")[0]]]).sum()
    ends = np.log(names.predict_proba(["ha"])[0, names.vocabulary_.end])
    assert names.score_samples(["ha"])[0] == pytest.approx(by_hand + ends, rel=1e-5)


def test_the_likeliest_next_token_is_called_by_its_name(names: LanguageModel) -> None:
    found = names.predict(["hann", "anna"])
    assert found.tolist() == ["a", "<end>"]
    assert found.tolist() == [names.vocabulary_.names[i] for i in names.predict_proba(["hann", "anna"]).argmax(axis=1)]


def test_a_text_alone_is_as_likely_as_among_others(names: LanguageModel) -> None:
    alone = [names.score_samples([name])[0] for name in NAMES[:5]]
    np.testing.assert_allclose(names.score_samples(NAMES[:5]), alone, rtol=1e-5)
    np.testing.assert_allclose(names.score_samples(NAMES[4::-1]), alone[::-1], rtol=1e-5)


def test_training_lowers_the_bits_to_about_the_entropy_of_the_data() -> None:
    model = LanguageModel(hidden_size=16, random_state=0).fit(["ab", "ac"] * 16)
    assert model.bits_per_token(["ab", "ac"]) == pytest.approx(1 / 3, abs=0.03)  # one bit in three tokens


# ---- long texts


def test_the_state_is_carried_through_a_text_that_is_scored_in_parts(text: LanguageModel) -> None:
    assert len(TEXT) > 900  # longer than the parts
    expected = log_probability(text, text.vocabulary_.encode(TEXT).tolist())
    assert text.score_samples([TEXT])[0] == pytest.approx(expected, rel=1e-5)


def test_passages_of_one_text_are_given_those_before_them(text: LanguageModel) -> None:
    passages = [TEXT[:100], TEXT[100:107], TEXT[107:300]]
    whole = text.score_samples([TEXT[:300]])[0]
    assert text.score_samples(passages).sum() == pytest.approx(whole, rel=1e-5)
    assert text.bits_per_token(passages) == pytest.approx(text.bits_per_token(TEXT[:300]), rel=1e-6)
    both = [LanguageModel(**TINY, continuous=True).fit(passages), LanguageModel(**TINY).fit(TEXT[:300])]
    assert both[0].bits_per_token(TEXT) == both[1].bits_per_token(TEXT)


def test_a_long_text_is_read_in_streams_with_an_update_every_k1_steps() -> None:
    model = LanguageModel(**TINY, batch_size=4, tbptt=(50, 50)).fit(TEXT)
    per_stream = -(-len(TEXT) // 4)
    assert model.net_.guard.n_updates_ == 2 * -(-per_stream // 50)


def test_the_state_goes_on_in_mid_text_while_training() -> None:
    """The last letter repeats the first, so predicting it requires memory beyond a chunk of two steps."""
    rng = np.random.default_rng(0)
    texts = [first + "xyxyxyxy" + first for first in rng.permutation(["a", "b"] * 40)]
    model = LanguageModel("lstm", hidden_size=16, tbptt=(2, 16), max_epochs=40, random_state=0).fit(texts)
    assert model.predict(["axyxyxyxy", "bxyxyxyxy"]).tolist() == ["a", "b"]


def test_a_long_text_never_ends_by_itself(text: LanguageModel) -> None:
    assert "end" not in text.vocabulary_.special
    assert len(text.generate(length=321, random_state=0)[0]) == 321


# ---- what it writes


def test_what_was_learned_is_written(text: LanguageModel) -> None:
    assert text.generate("the c", length=9, temperature=0)[0] in TEXT


def test_a_seed_repeats_the_texts_and_another_one_does_not(names: LanguageModel) -> None:
    texts = names.generate(n=8, random_state=3)
    assert names.generate(n=8, random_state=3) == texts
    assert names.generate(n=8, random_state=4) != texts
    assert len(set(texts)) > 1


def test_streamed_tokens_are_those_of_generate(names: LanguageModel, text: LanguageModel) -> None:
    assert "ha" + "".join(names.stream_generate("ha", random_state=1)) == names.generate("ha", random_state=1)[0]
    streamed = text.stream_generate("the", length=40, temperature=0.7, top_k=3, random_state=2)
    assert "the" + "".join(streamed) == text.generate("the", length=40, temperature=0.7, top_k=3, random_state=2)[0]


def test_without_temperature_each_token_is_the_likeliest(names: LanguageModel) -> None:
    so_far = "h"
    while (token := names.predict([so_far])[0]) != "<end>":
        so_far += token
    assert names.generate("h", n=2, temperature=0) == [so_far, so_far]
    assert names.generate("h", top_k=1, random_state=0) == [so_far]


def test_texts_are_written_as_often_as_they_are_likely(names: LanguageModel) -> None:
    texts = names.generate(n=4000, random_state=0)
    for name in ("nan", "anna"):
        assert texts.count(name) / 4000 == pytest.approx(np.exp(names.score_samples([name])[0]), abs=0.03)


def test_only_the_likeliest_tokens_are_drawn(names: LanguageModel) -> None:
    first = names.predict_proba([""])[0]
    likeliest = [names.vocabulary_.names[i] for i in np.argsort(-first)[:2]]
    drawn = names.generate(n=200, length=1, top_k=2, random_state=0)
    assert set(drawn) == set(likeliest)


def test_a_text_ends_with_what_it_is_to_stop_at(text: LanguageModel) -> None:
    found = text.generate("the cat", length=300, stop=". t", random_state=0)[0]
    assert found.endswith(". t")
    assert ". t" not in found[:-1]
    streamed = "".join(text.stream_generate("the cat", length=300, stop=". t", random_state=0))
    assert "the cat" + streamed == found


def test_what_stands_for_no_token_is_never_written() -> None:
    model = LanguageModel(**TINY, unknown="token", min_count=9).fit([*NAMES, "xyz"])
    texts = model.generate(n=300, length=30, random_state=0)
    assert set("".join(texts)) <= set("anh")


def test_words_and_tokens_are_written_as_they_were_given() -> None:
    words = LanguageModel(**TINY, level="word").fit(["do re mi", "do mi"] * 4)
    text = words.generate("do", random_state=0)[0]
    assert isinstance(text, str)
    assert set(text.split()) <= {"do", "re", "mi"}
    tokens = LanguageModel(**TINY, level="token", embedding=3).fit([[60, 62], [62]] * 4)
    found = tokens.generate(n=2, random_state=0)
    assert all(isinstance(each, list) and set(each) <= {60, 62} for each in found)
    assert tokens.generate([60], length=1, random_state=0)[0][0] == 60
    assert set(tokens.stream_generate(random_state=0)) <= {60, 62}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"prompt": "hanz"}, r"prompt: The character 'z' at step 3 is not one of"),
        ({"stop": "z"}, r"stop: The character 'z'"),
        ({"stop": ""}, r"stop has no tokens"),
        ({"n": 0}, "'n' parameter of generate must be an int >= 1. Got 0"),
        ({"length": 1.5}, r"'length' parameter of generate .* Got 1\.5"),
        ({"temperature": -1}, "'temperature'"),
        ({"label": "long"}, "was fitted without classes"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_first_token(
    names: LanguageModel, parameters: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        names.generate(**parameters)
    if "n" not in parameters:
        with pytest.raises(ValueError, match=message):
            names.stream_generate(**parameters)


def test_a_model_that_is_not_fitted_writes_nothing() -> None:
    for call in (LanguageModel().generate, LanguageModel().stream_generate, lambda: LanguageModel().predict(["a"])):
        with pytest.raises(NotFittedError):
            call()


# ---- classes


def test_a_text_is_likelier_in_its_own_class(of_classes: LanguageModel) -> None:
    names = ["hannah", "an"]
    own = of_classes.score_samples(names, ["long", "short"])
    other = of_classes.score_samples(names, ["short", "long"])
    assert (own > other + 1).all()
    by_hand = log_probability(of_classes, of_classes.vocabulary_.encode("an", end=True).tolist(), label=1)
    assert own[1] == pytest.approx(by_hand, rel=1e-5)


def test_texts_of_a_class_are_written(of_classes: LanguageModel) -> None:
    lengths = {
        label: np.mean([len(text) for text in of_classes.generate(n=200, label=label, random_state=0)])
        for label in ("long", "short")
    }
    assert lengths["long"] > lengths["short"] + 1
    assert of_classes.generate(label="long", random_state=1) == of_classes.generate(label="long", random_state=1)


def test_without_a_class_probabilities_are_averaged_by_their_shares(of_classes: LanguageModel) -> None:
    share = np.array([0.4, 0.6])
    np.testing.assert_allclose(of_classes.class_prior_, share)
    each = np.array([of_classes.score_samples(["nan"], [label])[0] for label in ("long", "short")])
    assert of_classes.score_samples(["nan"])[0] == pytest.approx(np.log(share @ np.exp(each)), rel=1e-6)
    first = np.array([of_classes.predict_proba([""], [label])[0] for label in ("long", "short")])
    np.testing.assert_allclose(of_classes.predict_proba([""])[0], share @ first, rtol=1e-6)


def test_the_chain_of_next_tokens_of_an_unknown_class_is_the_texts_likelihood(of_classes: LanguageModel) -> None:
    steps = [("", "n"), ("n", "a"), ("na", "n"), ("nan", "<end>")]
    found = of_classes.predict_proba([begun for begun, _ in steps])
    names = of_classes.vocabulary_.names
    total = sum(np.log(row[names.index(token)]) for row, (_, token) in zip(found, steps, strict=True))
    assert total == pytest.approx(of_classes.score_samples(["nan"])[0], rel=1e-5)


def test_a_class_that_is_none_is_refused(of_classes: LanguageModel) -> None:
    for call in (lambda: of_classes.generate(label="middle"), lambda: of_classes.score(["an"], ["middle"])):
        with pytest.raises(ValueError, match=r"'middle' is not among the classes .* \['long', 'short'\]"):
            call()


# ---- scikit-learn


def test_a_search_over_cells_goes_by_bits_per_token() -> None:
    search = GridSearchCV(LanguageModel(**TINY), {"cell": ["rnn", "gru"]}, cv=2, error_score="raise").fit(NAMES)
    assert search.best_params_["cell"] in ("rnn", "gru")
    assert search.best_score_ < 0
    with_classes = GridSearchCV(LanguageModel(**TINY), {"cell": ["gru"]}, cv=2, error_score="raise")
    assert np.isfinite(with_classes.fit(NAMES, CLASSES).best_score_)
    assert np.isfinite(cross_val_score(Pipeline([("model", LanguageModel(**TINY))]), pd.Series(NAMES), cv=2)).all()


def test_all_ways_to_give_texts_are_the_same_fit() -> None:
    expected = LanguageModel(**TINY).fit(NAMES).score(NAMES)
    for given in (tuple(NAMES), np.array(NAMES), np.array(NAMES, dtype=object), pd.Series(NAMES)):
        assert LanguageModel(**TINY).fit(given).score(given) == expected
    letters = [list(name) for name in NAMES]
    assert LanguageModel(**TINY, level="token").fit(letters).score(letters) == expected


def test_a_fit_repeats_itself_and_does_not_remember_the_last_one() -> None:
    model = LanguageModel(**TINY)
    first = model.fit(NAMES, CLASSES).score(NAMES, CLASSES)
    assert model.fit(NAMES, CLASSES).score(NAMES, CLASSES) == first
    assert clone(model).fit(NAMES, CLASSES).score(NAMES, CLASSES) == first
    assert model.fit(TEXT).classes_ is None


@pytest.mark.parametrize("y", [None, CLASSES])
def test_a_model_is_kept_as_plain_arrays(y: np.ndarray | None) -> None:
    model = LanguageModel("lstm", **TINY).fit(NAMES, y)
    kept = pickle.dumps(model)
    named = {str(argument) for _, argument, _ in pickletools.genops(kept) if isinstance(argument, str)}
    assert not {name for name in named if name.startswith(("torch", "skorch"))}
    file = skops.io.dumps(model)
    types = skops.io.get_untrusted_types(data=file)
    assert not foreign_types(types)
    for loaded in (pickle.loads(kept), skops.io.loads(file, trusted=types)):
        assert loaded.score(NAMES, y) == model.score(NAMES, y)
        assert loaded.generate(n=3, random_state=0) == model.generate(n=3, random_state=0)


def test_a_weight_of_zero_is_a_text_left_out() -> None:
    texts, weight = [*NAMES, "qqq"], np.append(np.ones(len(NAMES)), 0)
    model = LanguageModel(**TINY).fit(texts, sample_weight=weight)
    assert "q" not in model.vocabulary_.tokens
    assert model.score(NAMES) == LanguageModel(**TINY).fit(NAMES).score(NAMES)


def test_a_weight_of_two_is_a_text_given_twice() -> None:
    texts = ["an", "ha", "nan", "hannah anna"]
    params = {**TINY, "optimizer": "SGD", "batch_size": 8, "dtype": "float64", "gradient_clip_norm": None}
    weighted = LanguageModel(**params).fit(texts, sample_weight=[1, 1, 1, 2])
    twice = LanguageModel(**params).fit([*texts, texts[3]])
    np.testing.assert_allclose(weighted.score_samples(texts), twice.score_samples(texts), rtol=1e-12)
    assert weighted.history_[0]["train_loss"] == pytest.approx(twice.history_[0]["train_loss"], rel=1e-12)


def test_weights_shift_what_is_likely() -> None:
    weight = np.where(np.array(NAMES) == "ha", 30.0, 1.0)
    heavy = LanguageModel(**{**TINY, "max_epochs": 60}).fit(NAMES, sample_weight=weight)
    even = LanguageModel(**{**TINY, "max_epochs": 60}).fit(NAMES)
    assert heavy.score_samples(["ha"])[0] > even.score_samples(["ha"])[0] + 0.5


@pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")
def test_early_stopping_holds_out_texts_or_streams() -> None:
    for given in (NAMES, TEXT):
        model = LanguageModel(**TINY, early_stopping=True).fit(given)
        assert all(np.isfinite(epoch["valid_loss"]) for epoch in model.history_)


def test_a_list_of_one_long_text_is_read_as_the_text() -> None:
    long = "abcd efgh " * 205
    listed, whole = LanguageModel(**TINY).fit([long]), LanguageModel(**TINY).fit(long)
    assert listed.score(long) == whole.score(long)
    assert "end" not in listed.vocabulary_.special
    for apart in (LanguageModel(**TINY).fit([long[:2000]]), LanguageModel(**TINY, continuous=False).fit([long])):
        assert "end" in apart.vocabulary_.special


def test_a_long_text_with_a_class_or_a_weight_is_a_text_of_its_own() -> None:
    long = "abcd efgh " * 205
    assert "end" in LanguageModel(**TINY).fit([long], ["letters"]).vocabulary_.special
    assert "end" in LanguageModel(**TINY).fit([long], sample_weight=[1.0]).vocabulary_.special


@pytest.mark.slow
def test_a_few_long_texts_are_told_to_be_slow() -> None:
    books = ["abcd efgh " * 2048] * 2
    settings = {**TINY, "max_epochs": 1, "hidden_size": 1, "tbptt": (1024, 1024)}
    with pytest.warns(DataWarning, match=r"X holds 2 separate texts of 20,480 tokens on average.*continuous=True"):
        LanguageModel(**settings).fit(books)
    LanguageModel(**settings, continuous=False).fit(books)
    LanguageModel(**settings, continuous=True).fit(books)


@pytest.mark.parametrize(
    ("n_tokens", "hidden_size"),
    [(1, 64), (30_000, 64), (68_000, 128), (250_000, 192), (1_000_000, 384), (10**9, 384)],
)
def test_the_network_grows_with_the_text(n_tokens: int, hidden_size: int) -> None:
    assert auto_hidden_size(n_tokens) == hidden_size


def test_the_size_of_the_network_is_that_of_the_first_fit() -> None:
    model = LanguageModel(max_epochs=1, random_state=0, warm_start=True, tbptt=(512, 512)).fit("ab" * 2000)
    assert model.hidden_size_ == model.net_.module_.recurrent.cells[0].hidden_size == 64
    assert model.fit("ab" * 40_000).hidden_size_ == 64
    assert pickle.loads(pickle.dumps(model)).score("abab") == model.score("abab")
    assert LanguageModel(**TINY).fit("ab" * 40_000).hidden_size_ == 8


def test_a_warm_start_goes_on_with_the_same_tokens() -> None:
    model = LanguageModel(**TINY, warm_start=True).fit(NAMES)
    before = model.score(NAMES)
    assert model.set_params(max_epochs=30).fit(NAMES).score(NAMES) > before
    with pytest.raises(InvalidSequencesError, match="The character 'z'"):
        model.fit(["zzz"])
    with pytest.raises(ValueError, match="A fit that continues requires data of the same form"):
        model.fit("anna")
    with pytest.raises(ValueError, match="A fit that continues requires data of the same form"):
        model.fit(NAMES, CLASSES)


# ---- bad input


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], r"0 sample\(s\)"),
        (["anna", ""], "X, sample 1 has no tokens"),
        (["anna", None], "X, sample 1 is missing"),
        (np.ones((3, 2)), "X, sample 0 must be a string"),
        (7, "Got int"),
        ("", "no token"),
    ],
)
def test_what_are_no_texts_is_refused(X: object, message: str) -> None:
    with pytest.raises(InvalidSequencesError, match=message):
        LanguageModel(**TINY).fit(X)


def test_unknown_characters_are_refused_or_a_token_of_their_own() -> None:
    with pytest.raises(
        InvalidSequencesError, match=r"X, sample 1: The character 'q' .* Alternatively, set unknown='token'"
    ):
        LanguageModel(**TINY).fit(NAMES).score(["an", "qa"])
    assert np.isfinite(LanguageModel(**TINY, unknown="token").fit(NAMES).score(["an", "qa"]))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"level": "letter"}, "'level' parameter of LanguageModel"),
        ({"embedding": None}, "'embedding' parameter of LanguageModel"),
        ({"tbptt": (8, 4)}, "k1 <= k2"),
        ({"cell": "gruu"}, "Did you mean 'gru'"),
        ({"min_count": 2}, "add 'unknown'"),
    ],
)
def test_a_wrong_parameter_is_refused_before_training(parameters: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LanguageModel(**{**TINY, **parameters}).fit(NAMES)


def test_passages_of_one_text_have_no_classes() -> None:
    with pytest.raises(ValueError, match="Passages of one text have neither classes nor weights"):
        LanguageModel(**TINY, continuous=True).fit(NAMES, CLASSES)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LanguageModel(**TINY).fit(NAMES, CLASSES[:-1])


def test_partial_fit_goes_on_and_knows_the_first_vocabulary_and_classes() -> None:
    texts, kinds = ["abab", "baba", "aabb", "bbaa"] * 8, ["x", "y", "x", "y"] * 8
    model = LanguageModel(hidden_size=8, random_state=0).partial_fit(texts, kinds)
    losses = [model.partial_fit(texts, kinds).history_[-1]["train_loss"] for _ in range(5)]
    assert losses[-1] < losses[0] < model.history_[0]["train_loss"]
    assert [record["epoch"] for record in model.history_] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(InvalidSequencesError, match="X, sample 1: The character 'c' at step 2"):
        model.partial_fit(["ab", "abc"], ["x", "y"])
    with pytest.raises(ValueError, match="'z' is not among the classes"):
        model.partial_fit(["ab"], ["z"])
    with pytest.raises(ValueError, match="A fit that continues requires data of the same form"):
        model.partial_fit(["ab"])


def test_partial_fit_reads_one_long_text_part_by_part() -> None:
    model = LanguageModel(hidden_size=8, unknown="token", batch_size=2, random_state=0)
    bits = [model.partial_fit(part).bits_per_token("abcd" * 20) for part in ("abcd" * 60, "abcd" * 60, "abcde" * 40)]
    assert bits[0] > bits[1] > bits[2]
    assert len(model.history_) == 3


def test_both_forms_of_a_letter_are_one() -> None:
    model = LanguageModel(hidden_size=4, max_epochs=1, random_state=0).fit(["caf\u00e9", "th\u00e9"])
    assert model.score_samples(["cafe\u0301"]) == model.score_samples(["caf\u00e9"])
    texts = [model.generate(prompt, random_state=0, length=3)[0] for prompt in ("th\u00e9", "the\u0301")]
    assert unicodedata.normalize("NFC", texts[1]) == texts[0]


def test_a_class_in_another_form_is_told_apart() -> None:
    model = LanguageModel(hidden_size=4, max_epochs=1).fit(["ab", "ba"], ["caf\u00e9", "other"])
    with pytest.raises(ValueError, match=r"not among the classes .* Did you mean 'caf\u00e9' \('caf\\xe9', not 'cafe"):
        model.generate(label="cafe\u0301")


def test_every_token_counts_the_same_whether_its_batch_holds_long_or_short_texts() -> None:
    texts = ["ab" * int(n) for n in np.random.default_rng(0).integers(1, 40, size=60)]
    model = LanguageModel(hidden_size=4, lr=1e-9, max_epochs=1, batch_size=4, early_stopping=False, random_state=0)
    loss = model.fit(texts).history_[0]["train_loss"]
    assert loss == pytest.approx(model.bits_per_token(texts) * np.log(2), rel=1e-4)
