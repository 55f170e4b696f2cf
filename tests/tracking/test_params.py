"""Parameters and metadata as stored in a run."""

import math

import numpy as np
import pytest
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqpipe.callbacks import reported
from seqpipe.tracking._params import MAX_LENGTH, as_text, changed_params, numbers_in, scalar_params, texts_in


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-3, "0.001"),
        (None, "None"),
        ("gru", "gru"),
        (LogisticRegression, "LogisticRegression"),
        (LogisticRegression(C=2), "LogisticRegression"),
        (math.sqrt, "sqrt"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_values_become_short_texts(value, text):
    assert as_text(value) == text


def test_a_long_value_is_cut_to_what_mlflow_keeps():
    assert len(as_text("x" * 10_000)) == MAX_LENGTH
    assert as_text("x" * 10_000).endswith("x…")


def test_a_scorer_that_is_reported_counts_as_the_one_that_it_wraps():
    grid = {"C": [1.0]}
    assert (
        changed_params(GridSearchCV(LogisticRegression(), grid, scoring=reported("f1")), deep=False)["scoring"] == "f1"
    )


def test_estimators_inside_are_left_out_but_not_their_parameters():
    params = scalar_params(make_pipeline(StandardScaler(), LogisticRegression(C=np.float64(2.0))))
    assert params["logisticregression__C"] == "2.0"
    assert params["standardscaler__with_mean"] == "True"
    assert not {"steps", "standardscaler", "logisticregression"} & params.keys()
    assert "estimators" not in scalar_params(VotingClassifier([("a", LogisticRegression())]))


def test_only_what_differs_from_the_defaults_is_changed():
    pipe = make_pipeline(StandardScaler(), LogisticRegression(C=2.0))
    assert changed_params(pipe) == {"logisticregression__C": "2.0"}
    assert changed_params(LogisticRegression()) == {}
    assert changed_params(GridSearchCV(pipe, {}, cv=2), deep=False) == {"cv": "2"}


def test_metadata_is_sorted_into_numbers_and_words():
    metadata = {
        "loss": math.nan,
        "n": np.int64(3),
        "zero": np.float32(0),
        "stop_reason": "patience",
        "flag": True,
        "sample_weight": np.ones(3),
        "nothing": None,
    }
    numbers = numbers_in(metadata)
    assert math.isnan(numbers.pop("loss"))
    assert numbers == {"n": 3.0, "zero": 0.0}
    assert texts_in(metadata) == {"stop_reason": "patience"}
