"""The language model task: held-out texts, scores and plots."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, StratifiedKFold

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tasks import LanguageModelTask, Roles, TaskData
from seqpipe.tasks._ngrams import NgramModel
from seqpipe.tasks._tabular import tabular

TINY = {"hidden_size": 4, "max_epochs": 1, "random_state": 0}
TEXTS = np.array(["abba", "cab", "baa", "acca", "bab", "cc"] * 4, dtype=object)


def data(y: np.ndarray | None = None) -> TaskData:
    return TaskData(TEXTS, y, "texts")


def test_passages_of_one_text_are_held_out_from_its_end():
    task = LanguageModelTask()
    model = task.estimator({"continuous": True})
    train, test = task.split(model, data(), test_size=3, seed=0)
    assert (list(train.X), list(test.X)) == (list(TEXTS[:-3]), list(TEXTS[-3:]))
    folds = task.cv(model, data(), n_splits=3, seed=0)
    assert isinstance(folds, KFold)
    assert all((np.diff(held_out) == 1).all() for _, held_out in folds.split(TEXTS))


def test_separate_texts_are_held_out_at_random_in_the_shares_of_their_classes():
    y = np.array(["x", "x", "y"] * 8)
    task = LanguageModelTask()
    _, test = task.split(task.estimator({}), data(y), test_size=0.25, seed=0)
    assert (np.sum(test.y == "x"), np.sum(test.y == "y")) == (4, 2)
    assert isinstance(task.cv(task.estimator({}), data(y), n_splits=2, seed=0), StratifiedKFold)
    assert list(task.split(task.estimator({}), data(), test_size=6, seed=0)[1].X) != list(TEXTS[-6:])


def test_a_table_gives_texts_ids_and_classes():
    frame = pd.DataFrame({"name": ["a", "b", "c", "d"], "text": ["ab", "ba", "aa", "bb"], "kind": [1, 2, 1, 2]})
    task = LanguageModelTask()
    roles = Roles(id="name", sequence="text", target=("kind",))
    found = task.from_table(frame, roles, name="data")
    assert (found.X.tolist(), found.y.tolist()) == (["ab", "ba", "aa", "bb"], [1, 2, 1, 2])
    model = task.estimator(TINY).fit(found.X, found.y)
    _, test = task.split(task.estimator({}), found, test_size=2, seed=0)
    predicted = task.predictions(model, test)
    text_of = dict(zip(frame["name"], frame["text"], strict=True))
    assert [text_of[name] for name in predicted["id"]] == test.X.tolist()
    np.testing.assert_allclose(predicted["bits_per_token"].mean(), model.bits_per_token(test.X, test.y), rtol=1e-5)


def test_a_table_without_a_column_of_texts_is_refused():
    with pytest.raises(InvalidSequencesError, match="needs a sequence column of texts: name one of text"):
        LanguageModelTask().from_table(pd.DataFrame({"text": ["a"]}), Roles(), name="data")


@pytest.mark.parametrize("y", [None, np.array(["x", "x", "y"] * 8)])
def test_samples_are_written_for_each_class(y: np.ndarray | None):
    task = LanguageModelTask()
    model = task.estimator(TINY).fit(TEXTS, y)
    samples = task.texts(model)["samples"].split("\n")
    assert len(samples) == (8 if y is None else 6)
    assert y is None or [line[:3] for line in samples] == ["x: "] * 3 + ["y: "] * 3
    assert task.texts(model) == task.texts(model)


def test_samples_of_classes_that_mean_nothing_are_not_the_same():
    task = LanguageModelTask()
    model = task.estimator(TINY).fit(TEXTS, np.array(["x", "y"] * 12))
    samples = [line.split(": ")[1] for line in task.texts(model)["samples"].split("\n")]
    assert not set(samples[:3]) & set(samples[3:])


def test_a_sample_of_one_long_text_has_five_hundred_tokens():
    task = LanguageModelTask()
    model = task.estimator({**TINY, "continuous": True}).fit(TEXTS)
    assert len(task.texts(model)["samples"]) == 500


def test_perplexity_is_two_to_the_bits():
    task = LanguageModelTask()
    metrics = task.metrics(task.estimator(TINY).fit(TEXTS), data())
    assert metrics["perplexity"] == pytest.approx(2 ** metrics["bits_per_token"])
    scorers = [task.scorer(name) for name in ("bits_per_token", "perplexity")]
    assert [-score(task.estimator(TINY).fit(TEXTS), TEXTS) for score in scorers] == list(metrics.values())


def test_counted_tokens_have_the_bits_of_the_formula():
    model = NgramModel("char", pairs=False, ends=True).fit(["aab"])  # of <start>, <end>, <unknown>, a, b: 0, 1, 0, 2, 1
    expected = -np.log2([2 / 9, 1 / 9, 2 / 9]).mean()
    assert model.bits_per_token(["bz"]) == pytest.approx(expected)


def test_counted_pairs_have_the_bits_of_the_formula():
    model = NgramModel("char", pairs=True, ends=False).fit(["ab", "ab"])  # one text: abab
    frequencies = {"a": 3 / 8, "b": 3 / 8}  # of <start>, <unknown>, a, b
    after_start = (1 + 10 * frequencies["a"]) / (1 + 10)
    a_after_b = (1 + 10 * frequencies["a"]) / (1 + 10)
    b_after_a = (2 + 10 * frequencies["b"]) / (2 + 10)
    expected = -np.log2([after_start, b_after_a, a_after_b]).mean()
    assert model.bits_per_token(["aba"]) == pytest.approx(expected)
    assert model.bits_per_token(["a", "ba"]) == pytest.approx(expected)


def test_pairs_beat_frequencies_where_neighbours_matter():
    task = LanguageModelTask()
    text = TaskData(np.array(["abcabcabc"] * 8, dtype=object), None, "texts")
    found = task.baselines(task.estimator({}), text, text)
    assert found["pairs of tokens"]["bits_per_token"] < found["token frequencies"]["bits_per_token"] / 1.5


def test_texts_are_rows_of_counted_pieces():
    train, test = tabular(np.array(["ab", "b"], dtype=object), np.array(["abab", "c"], dtype=object))
    assert train.shape == (2, 3)  # a, ab, b
    assert test.tolist() == [[2.0, 2.0, 2.0], [0.0, 0.0, 0.0]]


def test_baselines_count_the_tokens_of_the_model_that_they_are_compared_with():
    task = LanguageModelTask()
    texts = TaskData(np.array(["ab cd ab", "cd ab cd"] * 4, dtype=object), None, "texts")
    by_level = {
        level: task.baselines(task.estimator({**TINY, "level": level}), texts, texts)["token frequencies"]
        for level in ("char", "word")
    }
    assert by_level["word"] != by_level["char"]
    words = NgramModel("word", pairs=False, ends=True).fit(texts.X)
    assert by_level["word"]["bits_per_token"] == words.bits_per_token(texts.X)


def test_a_task_keeps_nothing_of_an_estimator_that_it_made_before():
    task = LanguageModelTask()
    model = task.estimator({})
    before = task.split(model, data(), test_size=3, seed=0)[1].X.tolist()
    task.estimator({"continuous": True, "level": "word"})
    assert task.split(model, data(), test_size=3, seed=0)[1].X.tolist() == before
