"""Tasks that predict one text per sample: tables, baselines, scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

from seqpipe.estimators import text_scores
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tasks import CaptionTask, Roles, TranslateTask

PAIRS = pd.DataFrame(
    {
        "word": ["ab", "ba", "abb", "bba"] * 6,
        "mirror": ["ba", "ab", "bba", "abb"] * 6,
        "key": [f"k{i}" for i in range(24)],
    }
)
ROLES = Roles(sequence="word", target=("mirror",))
TINY = {"hidden_size": 4, "max_epochs": 1, "random_state": 0}


def test_texts_come_from_two_columns() -> None:
    data = TranslateTask().from_table(PAIRS, ROLES, name="pairs")
    assert data.X.tolist() == PAIRS["word"].tolist()
    assert data.y.tolist() == PAIRS["mirror"].tolist()


def test_ids_stay_with_their_texts_to_the_table_of_predictions() -> None:
    task = TranslateTask()
    data = task.from_table(PAIRS, Roles(id="key", sequence="word", target=("mirror",)), name="pairs")
    train, test = task.split(task.estimator({}), data, test_size=6, seed=1)
    for part in (train, test):
        assert PAIRS.set_index("key").loc[part.ids, "word"].tolist() == part.X.tolist()
    estimator = task.estimator(TINY).fit(train.X, train.y)
    frame = task.predictions(estimator, test)
    assert frame["id"].tolist() == test.ids.tolist()
    assert frame["prediction"].tolist() == estimator.predict(test.X).tolist()


def test_lists_of_tokens_are_texts() -> None:
    frame = pd.DataFrame({"notes": [["C4", "D4"], ["E4"]] * 4, "answer": [["G4"], ["C4", "C4"]] * 4})
    task = TranslateTask()
    data = task.from_table(frame, Roles(sequence="notes", target=("answer",)), name="tunes")
    estimator = task.estimator({**TINY, "level": "token"}).fit(data.X, data.y)
    assert set(task.metrics(estimator, data)) == {"exact_match", "token_accuracy", "edit_distance"}


def test_the_baselines_are_the_most_frequent_text_and_the_text_itself() -> None:
    task = TranslateTask()
    frame = pd.DataFrame({"word": ["a", "b", "c", "x"], "mirror": ["x", "x", "c", "x"]})
    data = task.from_table(frame, ROLES, name="pairs")
    found = task.baselines(task.estimator({}), data, data)
    assert found["most frequent text"]["exact_match"] == 0.75
    assert found["the text itself"]["exact_match"] == 0.5


def test_the_text_of_the_nearest_vector_is_a_baseline_of_captions() -> None:
    task = CaptionTask()
    frame = pd.DataFrame({"a": [0.0, 0.1, 5.0, 5.1], "b": [1.0, 1.1, 0.0, 0.1], "name": ["low", "low", "high", "high"]})
    data = task.from_table(frame, Roles(target=("name",)), name="points")
    assert data.X.shape == (4, 2)
    found = task.baselines(task.estimator({}), data, data)
    assert found["text of the nearest sample"]["exact_match"] == 1.0
    assert found["most frequent text"]["exact_match"] == 0.5


def test_a_distance_is_searched_by_with_its_sign_turned() -> None:
    task = TranslateTask()
    data = task.from_table(PAIRS, ROLES, name="pairs")
    model = task.estimator(TINY)
    folds = task.cv(task.estimator({}), data, n_splits=2, seed=0)
    scores = {
        name: cross_val_score(model, data.X, data.y, cv=folds, scoring=task.scorer(name))
        for name in (None, "edit_distance")
    }
    assert ((scores[None] >= 0) & (scores[None] <= 1)).all()
    assert (scores["edit_distance"] <= 0).all()


def test_the_attention_of_three_held_out_samples_is_shown_where_there_is_one() -> None:
    task = TranslateTask()
    data = task.from_table(PAIRS, ROLES, name="pairs")
    estimator = task.estimator({"hidden_size": 16, "max_epochs": 60, "random_state": 0}).fit(data.X, data.y)
    assert sorted(task.pictures(estimator, data, data)) == [
        "attention_1",
        "attention_2",
        "attention_3",
        "learning_curves",
    ]
    plain = task.estimator({**TINY, "attention": None}).fit(data.X, data.y)
    assert sorted(task.pictures(plain, data, data)) == ["learning_curves"]


@pytest.mark.parametrize(
    ("frame", "roles", "words"),
    [
        (PAIRS, Roles(target=("mirror",)), "needs a sequence column of texts: name one of word, mirror, key"),
        (PAIRS, Roles(sequence="word"), "needs a target column"),
        (PAIRS, Roles(sequence="word", target=("mirror", "key")), "one target column"),
        (PAIRS, Roles(sequence="word", time="key", target=("mirror",)), "cannot be time"),
        (PAIRS.assign(word=[None] + ["a"] * 23), ROLES, "row 0: the column 'word' holds nothing: fill it in"),
        (PAIRS.assign(mirror=range(24)), ROLES, "row 0: the column 'mirror' holds 0, which is not text"),
        (PAIRS[:0], ROLES, "'pairs' has no rows"),
    ],
)
def test_tables_without_texts_are_refused_with_the_place(frame: pd.DataFrame, roles: Roles, words: str) -> None:
    with pytest.raises(InvalidSequencesError, match=words):
        TranslateTask().from_table(frame, roles, name="pairs")


@pytest.mark.parametrize(
    ("frame", "roles", "words"),
    [
        (
            pd.DataFrame({"a": [1.0, np.nan], "t": ["x", "y"]}),
            Roles(target=("t",)),
            "row 1, column 'a': the value is missing",
        ),
        (pd.DataFrame({"t": ["x"]}), Roles(target=("t",)), "no numeric column to use"),
        (
            pd.DataFrame({"a": [1.0], "t": ["x"]}),
            Roles(time="a", target=("t",)),
            "one vector, so that 'a' cannot be time",
        ),
    ],
)
def test_tables_without_vectors_are_refused_with_the_place(frame: pd.DataFrame, roles: Roles, words: str) -> None:
    with pytest.raises(InvalidSequencesError, match=words):
        CaptionTask().from_table(frame, roles, name="points")


def test_a_search_over_levels_is_scored_in_the_tokens_of_each_candidate() -> None:
    task = TranslateTask()
    frame = pd.DataFrame({"word": ["ab cd", "cd", "ab", "cd ab"] * 6, "mirror": ["cd ab", "cd", "ab", "ab cd"] * 6})
    data = task.from_table(frame, ROLES, name="pairs")
    score = task.scorer("edit_distance")
    assert score is not None
    search = GridSearchCV(task.estimator(TINY), {"level": ["char", "word"]}, cv=KFold(2), scoring=score)
    search.fit(data.X, data.y)
    for level, found in zip(("char", "word"), search.cv_results_["split0_test_score"]):
        train, test = next(KFold(2).split(data.X))
        model = task.estimator({**TINY, "level": level}).fit(data.X[train], data.y[train])
        assert found == -model.edit_distance(data.X[test], data.y[test])
        assert task.metrics(model, data)["edit_distance"] == model.edit_distance(data.X, data.y)
        own = text_scores(data.y, data.X, level=level)
        assert task.baselines(model, data, data)["the text itself"] == own
    assert task.metrics(search, data)["edit_distance"] == search.best_estimator_.edit_distance(data.X, data.y)


def test_a_search_over_target_levels_is_scored_in_tokens_of_y() -> None:
    task = TranslateTask()
    data = task.from_table(PAIRS, ROLES, name="pairs")
    model = task.estimator({**TINY, "target_level": "word"}).fit(data.X, data.y)
    assert task.metrics(model, data)["edit_distance"] == model.edit_distance(data.X, data.y)
