"""Names and colours of runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import loguniform
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline

from seqpipe import SequenceClassifier, SequenceScaler
from seqpipe.tracking._colours import colour_of
from seqpipe.tracking._names import candidate_name, fit_name
from seqpipe.tracking._search import grid_of


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"net__lr": "0.010000000000000002", "net__cell": "gru", "net__hidden_size": "64"}, "gru · 64 · lr 0.01"),
        ({"hidden_size": 64}, "hidden_size 64"),
        ({"cell": "lstm", "bidirectional": True, "dropout": None}, "lstm · bidirectional True · dropout None"),
        ({"a__lr": "1", "b__lr": "2"}, "a__lr 1 · b__lr 2"),
        ({"C": 1e-5, "max_depth": 1000000}, "C 1e-05 · max_depth 1000000"),
        ({"cell": "x" * 50}, "x" * 39 + "…"),
        ({}, ""),
    ],
)
def test_a_candidate_is_named_by_what_tells_it_apart(params, name):
    assert candidate_name(params) == name


def test_a_fit_is_named_by_its_model_or_by_what_is_searched():
    pipe = make_pipeline(SequenceScaler(), SequenceClassifier("lstm", hidden_size=16))
    assert fit_name(pipe) == "Pipeline: lstm · 16"
    assert fit_name(pipe, "vowels") == "vowels: lstm · 16"
    assert fit_name(LogisticRegression()) == "LogisticRegression"
    grid = {"sequenceclassifier__cell": ["gru"], "sequenceclassifier__lr": [0.1]}
    assert fit_name(GridSearchCV(pipe, grid), "vowels") == "vowels: cell × lr"


def test_the_grid_says_what_is_tried():
    grids = [{"C": [1, 2], "penalty": ["l1"]}, {"C": [2, 3]}]
    assert grid_of(GridSearchCV(LogisticRegression(), grids)) == {"C": ["1", "2", "3"], "penalty": ["l1"]}
    space = {"C": loguniform(0.1, 10), "tol": [0.1]}
    assert grid_of(RandomizedSearchCV(LogisticRegression(), space)) == {"C": ["loguniform(0.1, 10)"], "tol": ["0.1"]}
    assert grid_of(LogisticRegression()) == {}


@given(st.text())
def test_a_cell_has_a_colour_that_browsers_read(cell):
    colour = colour_of(cell)
    assert len(colour) == 7
    assert int(colour.removeprefix("#"), 16) >= 0
    assert colour == colour_of(cell)
