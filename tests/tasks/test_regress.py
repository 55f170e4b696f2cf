import numpy as np
import pytest
from sklearn.model_selection import KFold

from seqpipe.sequences import Sequences
from seqpipe.tasks import RegressTask, Roles, TaskData

TASK = RegressTask()


class Constant:
    """A model that needs no fit and always predicts the same."""

    def __init__(self, value):
        self.value = np.asarray(value)

    def predict(self, X):
        return np.repeat(self.value[None], len(X), axis=0)


def sums(n_samples, roles=None):
    rng = np.random.default_rng(0)
    X = Sequences.from_arrays([rng.normal(size=(rng.integers(3, 9), 1)) for _ in range(n_samples)])
    return TaskData(X, np.array([x.mean() for x in X]), "sums", roles or Roles())


def test_folds_are_shuffled():
    cv = TASK.cv(TASK.estimator({}), sums(8), n_splits=4, seed=7)
    assert isinstance(cv, KFold)
    assert (cv.n_splits, cv.shuffle, cv.random_state) == (4, True, 7)


def test_metrics_agree_with_their_definitions():
    data = TaskData(np.zeros((4, 3)), np.array([0.0, 0.0, 2.0, 2.0]), "steps")
    metrics = TASK.metrics(Constant(0.0), data)
    assert metrics == {"r2": -1.0, "mae": 1.0, "rmse": pytest.approx(np.sqrt(2))}


def test_metrics_of_several_outputs_are_means():
    data = TaskData(np.zeros((2, 3)), np.array([[0.0, 0.0], [2.0, 4.0]]), "steps")
    assert TASK.metrics(Constant([0.0, 0.0]), data)["mae"] == 1.5


def test_ridge_regression_finds_what_is_in_the_summary():
    train, test = TASK.split(TASK.estimator({}), sums(80), test_size=0.25, seed=0)
    baselines = TASK.baselines(TASK.estimator({}), train, test)
    assert list(baselines) == ["mean", "ridge regression"]
    assert baselines["mean"]["r2"] < 0.1
    assert baselines["ridge regression"]["r2"] > 0.95


@pytest.mark.parametrize(
    ("name", "scorer"),
    [
        ("mae", "neg_mean_absolute_error"),
        ("rmse", "neg_root_mean_squared_error"),
        ("r2", "r2"),
        ("neg_mean_absolute_error", "neg_mean_absolute_error"),
        (None, None),
    ],
)
def test_errors_are_negated_for_a_search(name, scorer):
    assert TASK.scorer(name) == scorer


def test_predictions_of_one_output_are_one_column():
    frame = TASK.predictions(Constant(0.5), sums(3))
    assert frame.to_dict("list") == {"id": [0, 1, 2], "prediction": [0.5, 0.5, 0.5]}


@pytest.mark.parametrize(("target", "names"), [(("load", "wind"), ["load", "wind"]), ((), ["0", "1"])])
def test_predictions_of_several_outputs_are_named(target, names):
    frame = TASK.predictions(Constant([0.5, 1.5]), sums(2, Roles(target=target)))
    assert list(frame) == ["id", *(f"prediction_{name}" for name in names)]
    assert frame.iloc[0, 1:].tolist() == [0.5, 1.5]
