"""Invariants of every registered task."""

import pickle

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.base import clone

from seqpipe.exceptions import UnknownNameError
from seqpipe.plugins import host
from seqpipe.sequences import Sequences
from seqpipe.tasks import (
    CaptionTask,
    ClassifyTask,
    ForecastTask,
    LanguageModelTask,
    RegressTask,
    Roles,
    StepClassifyTask,
    StepRegressTask,
    Task,
    TranslateTask,
)

SMALL = {"cell": "rnn", "hidden_size": 3, "max_epochs": 2, "random_state": 0, "device": "cpu"}


def table_of_sequences():
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(30), rng.integers(3, 7, size=30))
    frame = pd.DataFrame({"id": ids, "speed": rng.normal(size=len(ids)) + ids % 2})
    return frame.assign(label=np.where(ids % 2, "odd", "even"), load=ids / 10)


def table_of_steps():
    frame = table_of_sequences()
    total = frame.groupby("id")["speed"].cumsum()
    return frame.assign(label=np.where(total > 1, "far", "near"), load=total)


def table_of_months():
    months = pd.date_range("2015-01-01", periods=72, freq="MS")
    return pd.DataFrame({"month": months, "gas": np.sin(np.arange(72) * np.pi / 6), "coal": np.arange(72.0)})


def table_of_texts():
    rng = np.random.default_rng(0)
    letters = [rng.choice(["ab", "ba", "ac"], size=rng.integers(2, 5)) for _ in range(40)]
    return pd.DataFrame({"text": ["".join(text) for text in letters], "label": ["odd", "even"] * 20})


def table_of_vectors():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 3)), columns=["a", "b", "c"])
    return frame.assign(name=np.where(frame["a"] > 0, "right", "left"))


def table_of_pairs():
    frame = table_of_texts()
    return frame.assign(mirror=[text[::-1] for text in frame["text"]])


CASES = {
    "caption": (CaptionTask, table_of_vectors, Roles(target=("name",)), {}),
    "classify": (
        ClassifyTask,
        table_of_sequences,
        Roles(id="id", features=("speed",), target=("label",)),
        {},
    ),
    "language_model": (LanguageModelTask, table_of_texts, Roles(sequence="text", target=("label",)), {}),
    "regress": (RegressTask, table_of_sequences, Roles(id="id", features=("speed",), target=("load",)), {}),
    "step_classify": (StepClassifyTask, table_of_steps, Roles(id="id", features=("speed",), target=("label",)), {}),
    "step_regress": (StepRegressTask, table_of_steps, Roles(id="id", features=("speed",), target=("load",)), {}),
    "translate": (TranslateTask, table_of_pairs, Roles(sequence="text", target=("mirror",)), {}),
    "forecast": (ForecastTask, table_of_months, Roles(time="month"), {"window": 12, "horizon": 6}),
}


class Fitted:
    """A task, its data split in two, and its estimator fitted to the first part."""

    def __init__(self, name):
        kind, table, roles, params = CASES[name]
        self.task = kind()
        self.params = SMALL | params
        self.estimator = self.task.estimator(self.params)
        self.data = self.task.from_table(table(), roles, name="data")
        self.train, self.test = self.task.split(self.estimator, self.data, test_size=0.25, seed=0)
        self.estimator.fit(self.train.X, self.train.y)


@pytest.fixture(scope="module", params=CASES)
def fitted(request):
    return Fitted(request.param)


def test_every_registered_task_has_a_case():
    shipped = {name for name, (offer, *_) in host().offers("task").items() if offer.distribution == "seqpipe"}
    assert shipped == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_task_is_found_by_name(name):
    assert host().find("task", name, parameter="The task").spec.factory is CASES[name][0]


def test_the_estimator_takes_the_names_that_a_recipe_writes(fitted):
    params = fitted.estimator.get_params()
    for name, value in fitted.params.items():
        assert params[fitted.task.parameter(name)] == value


def test_the_estimator_is_new_and_can_be_cloned(fitted):
    again = fitted.task.estimator(fitted.params)
    assert again is not fitted.estimator
    clone(again)


def test_an_unknown_parameter_is_refused_with_the_closest(fitted):
    with pytest.raises(UnknownNameError, match=r"has no parameter 'hiden_size'\. Did you mean 'hidden_size'\?"):
        fitted.task.estimator({"hiden_size": 3})


def test_names_for_the_net_reach_the_estimator(fitted):
    estimator = fitted.task.estimator({"net__optimizer__weight_decay": 0.5})
    params = estimator.get_params()
    assert params[fitted.task.parameter("net__optimizer__weight_decay")] == 0.5


def test_a_split_keeps_every_sample_once(fitted):
    assert len(fitted.train.X) + len(fitted.test.X) == len(fitted.data.X)
    assert (fitted.test.name, fitted.test.roles) == (fitted.data.name, fitted.data.roles)


def test_the_folds_can_be_split(fitted):
    splits = list(
        fitted.task.cv(fitted.estimator, fitted.train, n_splits=3, seed=0).split(fitted.train.X, fitted.train.y)
    )
    assert len(splits) == 3
    assert all(not set(train) & set(test) for train, test in splits)


def test_metrics_are_finite_numbers(fitted):
    metrics = fitted.task.metrics(fitted.estimator, fitted.test)
    assert metrics
    assert all(isinstance(value, float) and np.isfinite(value) for value in metrics.values())


def test_baselines_have_the_metrics_of_the_model(fitted):
    baselines = fitted.task.baselines(fitted.estimator, fitted.train, fitted.test)
    names = list(fitted.task.metrics(fitted.estimator, fitted.test))
    assert len(baselines) >= 2
    for metrics in baselines.values():
        assert list(metrics) == names
        assert np.isfinite(list(metrics.values())).all()


def test_pictures_are_figures_with_file_names(fitted, tmp_path):
    pictures = fitted.task.pictures(fitted.estimator, fitted.train, fitted.test)
    assert "learning_curves" in pictures
    for name, figure in pictures.items():
        assert isinstance(figure, Figure)
        figure.savefig(tmp_path / f"{name}.png")


def test_predictions_have_a_row_a_sample_or_a_step(fitted):
    frame, X = fitted.task.predictions(fitted.estimator, fitted.test), fitted.test.X
    by_step = isinstance(X, Sequences) and isinstance(fitted.test.y, list)
    assert len(frame) == (len(X.values) if by_step else len(X))
    assert not frame.isna().to_numpy().any()


def test_every_metric_that_is_an_error_or_a_score_can_be_searched_by(fitted):
    for name in set(fitted.task.metrics(fitted.estimator, fitted.test)) - {"mase", "mae_gas", "mae_coal"}:
        assert fitted.task.scorer(name) is not None


def test_without_a_name_the_estimator_scores_itself(fitted):
    assert fitted.task.scorer(None) is None


def test_an_unknown_score_is_refused_with_the_closest(fitted):
    known = next(name for name in fitted.task.metrics(fitted.estimator, fitted.test) if name != "mase")
    with pytest.raises(UnknownNameError, match=rf"no score '{known}_'.* Did you mean '{known}'\?"):
        fitted.task.scorer(f"{known}_")


def test_a_task_can_be_pickled(fitted):
    again = pickle.loads(pickle.dumps(fitted.task))
    assert again.metrics(fitted.estimator, fitted.test) == fitted.task.metrics(fitted.estimator, fitted.test)


def test_a_task_of_a_plugin_needs_the_whole_protocol():
    with pytest.raises(TypeError, match="abstract"):
        Task()
