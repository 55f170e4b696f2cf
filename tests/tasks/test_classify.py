import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, get_scorer, log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from seqpipe.exceptions import DataWarning, InvalidSequencesError
from seqpipe.sequences import Sequences, Windows
from seqpipe.tasks import ClassifyTask, Roles, TaskData
from seqpipe.tasks._classify import _OF_SEVERAL
from seqpipe.transformers import WindowSplit

TASK = ClassifyTask()


@pytest.fixture(scope="module")
def digits():
    digits = load_digits(n_class=4)
    return TaskData(digits.images[:240].astype("float32"), digits.target[:240], "digits")


def named(y):
    X = Sequences(np.arange(2.0 * len(y)), np.arange(len(y) + 1) * 2, ids=[f"id{i}" for i in range(len(y))])
    return TaskData(X, np.asarray(y), "letters")


class Constant(DummyClassifier):
    """A model that needs no fit and always predicts the same."""

    def __init__(self, classes, probabilities):
        self.classes = classes
        self.probabilities = probabilities
        self.classes_ = np.asarray(classes)

    def predict(self, X):
        return np.repeat(self.classes_[np.argmax(self.probabilities)], len(X))

    def predict_proba(self, X):
        return np.repeat([self.probabilities], len(X), axis=0)


def test_a_split_keeps_the_shares_of_the_classes():
    train, test = TASK.split(TASK.estimator({}), named(["a"] * 36 + ["b"] * 12), test_size=0.25, seed=0)
    assert sorted(test.y) == ["a"] * 9 + ["b"] * 3
    assert sorted(train.y) == ["a"] * 27 + ["b"] * 9


def test_a_split_keeps_ids_with_their_labels():
    data = named(["a", "b"] * 10)
    for part in TASK.split(TASK.estimator({}), data, test_size=6, seed=0):
        expected = dict(zip(data.X.ids, data.y))
        assert [expected[name] for name in part.X.ids] == list(part.y)


def test_a_split_depends_on_the_seed_alone():
    data = named(["a", "b"] * 20)
    first, again, other = (
        TASK.split(TASK.estimator({}), data, test_size=0.5, seed=seed)[1].X.ids.tolist() for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_a_class_of_one_sequence_cannot_be_split():
    with pytest.raises(InvalidSequencesError, match=r"The class 'c' of 'letters' has one sequence.*drop it, or merge"):
        TASK.split(TASK.estimator({}), named(["a"] * 5 + ["b"] * 5 + ["c"]), test_size=0.5, seed=0)


def test_overlapping_windows_are_never_shuffled_apart():
    data = TaskData(Windows(np.arange(20.0), np.arange(10), 5), np.arange(10) % 2, "waves")
    with pytest.raises(InvalidSequencesError, match="'waves' holds overlapping windows"):
        TASK.split(TASK.estimator({}), data, test_size=0.5, seed=0)
    assert isinstance(TASK.cv(TASK.estimator({}), data, n_splits=3, seed=0), WindowSplit)


def test_folds_are_stratified_and_shuffled():
    cv = TASK.cv(TASK.estimator({}), named(["a", "b"]), n_splits=4, seed=7)
    assert isinstance(cv, StratifiedKFold)
    assert (cv.n_splits, cv.shuffle, cv.random_state) == (4, True, 7)


def test_metrics_agree_with_their_definitions():
    data = named(["a", "a", "a", "b"])
    metrics = TASK.metrics(Constant(["a", "b"], [0.8, 0.2]), data)
    assert metrics["accuracy"] == 0.75
    assert metrics["balanced_accuracy"] == balanced_accuracy_score(data.y, ["a"] * 4) == 0.5
    assert metrics["f1_macro"] == pytest.approx((6 / 7 + 0) / 2)
    assert metrics["log_loss"] == pytest.approx(-(3 * np.log(0.8) + np.log(0.2)) / 4)


def test_metrics_have_the_values_of_the_scorers_of_their_names(digits):
    model = make_pipeline(FunctionTransformer(lambda X: X.reshape(len(X), -1)), LogisticRegression(max_iter=500))
    model.fit(digits.X[:120], digits.y[:120])
    rest = TaskData(digits.X[120:], digits.y[120:], "digits")
    for name, value in TASK.metrics(model, rest).items():
        assert abs(get_scorer(TASK.scorer(name))(model, rest.X, rest.y)) == pytest.approx(value)


def test_a_class_that_was_never_trained_on_counts_as_an_error_with_a_warning():
    data = named(["a", "b", "c", "c"])
    with pytest.warns(DataWarning, match=r"The classes \['c'\] were not in the training data"):
        metrics = TASK.metrics(Constant(["a", "b"], [1.0, 0.0]), data)
    assert metrics["accuracy"] == 0.25
    expected = log_loss(data.y, [[1.0, 0.0, 0.0]] * 4, labels=["a", "b", "c"])
    assert metrics["log_loss"] == pytest.approx(expected)


def test_a_predicted_class_that_is_not_in_the_data_needs_no_warning():
    metrics = TASK.metrics(Constant(["a", "b", "c"], [0.1, 0.1, 0.8]), named(["a", "b"]))
    assert metrics["accuracy"] == metrics["balanced_accuracy"] == 0.0


def test_logistic_regression_beats_the_most_frequent_class(digits):
    train, test = TASK.split(TASK.estimator({}), digits, test_size=0.3, seed=0)
    baselines = TASK.baselines(TASK.estimator({}), train, test)
    assert list(baselines) == ["most frequent class", "logistic regression"]
    assert baselines["most frequent class"]["accuracy"] < 0.5
    assert baselines["logistic regression"]["accuracy"] > 0.9


def test_predictions_carry_ids_labels_and_probabilities():
    frame = TASK.predictions(Constant(["a", "b"], [0.25, 0.75]), named(["a", "b"]))
    expected = {"id": ["id0", "id1"], "prediction": ["b", "b"], "p_a": [0.25, 0.25], "p_b": [0.75, 0.75]}
    pd.testing.assert_frame_equal(frame, pd.DataFrame(expected), check_dtype=False)


def test_predictions_without_ids_are_counted(digits):
    frame = TASK.predictions(Constant([0, 1], [0.25, 0.75]), digits)
    assert frame["id"].tolist() == list(range(240))


def test_a_fitted_classifier_is_shown(digits):
    train, test = TASK.split(TASK.estimator({}), digits, test_size=0.3, seed=0)
    estimator = TASK.estimator({"hidden_size": 4, "max_epochs": 2, "random_state": 0})
    search = GridSearchCV(
        estimator,
        {"cell": ["rnn"]},
        cv=TASK.cv(TASK.estimator({}), train, n_splits=2, seed=0),
        scoring=TASK.scorer("log_loss"),
    )
    pictures = TASK.pictures(search.fit(train.X, train.y), train, test)
    assert set(pictures) == {"confusion_matrix", "learning_curves"}
    assert len(pictures["learning_curves"].axes[0].lines) >= 1


@pytest.fixture
def labelled_machines(long_table):
    """The machines' table with two labels per machine, of which both, one or none apply."""
    return long_table.assign(rising=(long_table["label"] == "up").astype(int), late=long_table["machine"] > "c")


def test_several_columns_of_zeros_and_ones_are_labels_of_which_any_number_apply(labelled_machines):
    roles = Roles(id="machine", time="hour", features=("speed",), target=("rising", "late"))
    data = TASK.from_table(labelled_machines, roles, name="machines")
    assert data.y.tolist() == [[1, 0], [0, 0], [1, 0], [0, 1], [1, 1], [0, 1]]
    model = TASK.estimator({"hidden_size": 8, "max_epochs": 60, "random_state": 0}).fit(data.X, data.y)
    train, test = TASK.split(model, data, test_size=2, seed=0)
    assert list(TASK.metrics(model, data)) == ["accuracy", "f1_macro", "f1_micro"]
    predictions = TASK.predictions(model, data)
    assert list(predictions) == ["id", "prediction_rising", "prediction_late", "p_rising", "p_late"]
    assert predictions["prediction_rising"].tolist() == [1, 0, 1, 0, 1, 0]
    assert list(TASK.pictures(model, train, test)) == ["learning_curves"]
    baselines = TASK.baselines(model, data, data)
    assert baselines["most frequent class"]["accuracy"] <= baselines["logistic regression"]["accuracy"]


def test_a_search_over_several_labels_uses_plain_folds(labelled_machines):
    roles = Roles(id="machine", features=("speed",), target=("rising", "late"))
    data = TASK.from_table(labelled_machines, roles, name="machines")
    model = TASK.estimator({"hidden_size": 2, "max_epochs": 1, "random_state": 0})
    cv = TASK.cv(model, data, n_splits=2, seed=0)
    search = GridSearchCV(model, {"cell": ["rnn", "gru"]}, cv=cv, scoring=TASK.scorer("f1_micro")).fit(data.X, data.y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(("value", "shown"), [(2, "2"), (0.5, "0.5"), ("yes", "'yes'")])
def test_a_label_of_several_that_is_neither_0_nor_1_is_named_with_its_row(labelled_machines, value, shown):
    table = labelled_machines.astype({"rising": object})
    table.loc[table["machine"] == "b", "rising"] = value
    roles = Roles(id="machine", features=("speed",), target=("rising", "late"))
    with pytest.raises(
        InvalidSequencesError, match=f"must be 0 or 1. The target 'rising' of 'machines' is {shown} at row"
    ):
        TASK.from_table(table, roles, name="machines")


@pytest.mark.parametrize("name", ["neg_log_loss", "log_loss", "balanced_accuracy", "f1", "top_k_accuracy", "r2"])
def test_a_score_that_does_not_apply_to_several_labels_is_refused(labelled_machines, name):
    data = TASK.from_table(labelled_machines, Roles(id="machine", target=("rising", "late")), name="machines")
    assert "does not apply to several labels. Use one of accuracy, f1_macro" in TASK.scoring_fault(name, data)


@pytest.mark.parametrize("name", _OF_SEVERAL)
def test_a_score_that_applies_to_several_labels_scores_them(labelled_machines, name):
    data = TASK.from_table(labelled_machines, Roles(id="machine", target=("rising", "late")), name="machines")
    assert TASK.scoring_fault(name, data) is None
    model = TASK.estimator({"hidden_size": 2, "max_epochs": 1, "random_state": 0}).fit(data.X, data.y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        assert 0 <= get_scorer(name)(model, data.X, data.y) <= 1


@pytest.mark.parametrize("name", ["r2", "neg_mean_squared_error", "rand_score"])
def test_a_score_of_numbers_is_not_for_labels(name):
    assert TASK.scoring_fault(name, named(["a", "b"])) == (
        f"{name!r} is not for the targets of this task. Use one of accuracy, balanced_accuracy, f1_macro, log_loss, roc_auc_ovr."
    )
    assert TASK.scoring_fault("log_loss", named(["a", "b"])) is None
    assert TASK.scoring_fault(None, named(["a", "b"])) is None
