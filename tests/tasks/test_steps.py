"""Targets at each time step: from a long table to scores over all steps."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from seqpipe import StepRegressor
from seqpipe.exceptions import DataWarning, InvalidSequencesError, UnknownNameError
from seqpipe.tasks import Roles, StepClassifyTask, StepRegressTask, StepTask, TaskData
from seqpipe.tasks._steps import StepScorer, step_rows

SMALL = {"hidden_size": 3, "max_epochs": 2, "random_state": 0, "device": "cpu"}
ROLES = Roles(id="machine", time="hour", features=("speed", "heat"), target=("label",))


@pytest.fixture
def steps_table(long_table):
    """The machines' table, each row with its own label and load."""
    table = long_table.copy()
    return table.assign(label=np.where(table["heat"] > 0, "hot", "cold"), load=table["speed"] * 2)


class WorstStepTask(StepTask):
    """The task of a plug-in that defines the two methods that docs/plugins.md asks for."""

    needs_target = False
    step_scores = {"worst": ("worst_error", -1)}  # noqa: RUF012

    def estimator(self, params):
        return StepRegressor(**params)

    def metrics(self, estimator, data):
        return {"worst_error": float(np.abs(step_rows(data.y) - step_rows(estimator.predict(data.X))).max())}


def rows_of(table, machine, column):
    return table.loc[table["machine"] == machine, column].tolist()


def test_each_step_gets_the_target_of_its_row_wherever_the_rows_of_an_id_stand(steps_table):
    data = StepClassifyTask().from_table(steps_table, ROLES, name="machines")
    assert data.X.ids.tolist() == list("abcdef")
    for machine, labels in zip("abcdef", data.y):
        assert labels.tolist() == rows_of(steps_table, machine, "label")


def test_several_target_columns_stand_side_by_side(steps_table):
    roles = Roles(id="machine", features=("speed",), target=("load", "heat"))
    task = StepRegressTask()
    data = task.from_table(steps_table, roles, name="machines")
    assert [each.shape for each in data.y] == [(n, 2) for n in data.X.lengths]
    frame = task.predictions(task.estimator(SMALL).fit(data.X, data.y), data)
    assert list(frame) == ["id", "step", "prediction_load", "prediction_heat"]


def test_predictions_say_id_and_step(steps_table):
    task = StepClassifyTask()
    data = task.from_table(steps_table, ROLES, name="machines")
    frame = task.predictions(task.estimator(SMALL).fit(data.X, data.y), data)
    assert list(frame) == ["id", "step", "prediction", "p_cold", "p_hot"]
    assert frame["id"].tolist() == np.repeat(list("abcdef"), data.X.lengths).tolist()
    assert frame["step"].tolist() == [step for n in data.X.lengths for step in range(n)]
    np.testing.assert_allclose(frame["p_cold"] + frame["p_hot"], 1, rtol=1e-5)


def test_new_tables_need_no_target(steps_table):
    plain = steps_table.drop(columns=["label", "load"])
    data = StepClassifyTask().from_table(plain, ROLES, name="new", with_target=False)
    assert data.y is None
    assert len(data.X) == 6


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        (
            Roles(features=("speed",), target=("label",)),
            "needs one row per time step, with its target, and an id column",
        ),
        (Roles(id="machine", features=("speed",)), "needs a target column"),
        (
            Roles(id="machine", features=("speed",), target=("label", "load")),
            "must be 0 or 1. The target 'label' of 'machines' is 'cold' at row",
        ),
        (Roles(id="machine", features=("speed",), target=("load",)), "fractions .* use the task 'step_regress'"),
    ],
)
def test_tables_that_do_not_fit_are_refused_with_the_remedy(steps_table, roles, message):
    with pytest.raises(InvalidSequencesError, match=message):
        StepClassifyTask().from_table(steps_table, roles, name="machines")


def test_labels_are_no_numbers(steps_table):
    with pytest.raises(InvalidSequencesError, match="For labels use the task 'step_classify'"):
        StepRegressTask().from_table(steps_table, ROLES, name="machines")


def test_a_missing_target_is_named_with_id_and_row(steps_table):
    steps_table.loc[3, "label"] = None
    with pytest.raises(InvalidSequencesError, match=r"id 'a', row 3: the target 'label' is missing \(1 in total\)"):
        StepClassifyTask().from_table(steps_table, ROLES, name="machines")


def test_an_infinite_target_is_named_with_its_row(steps_table):
    steps_table.loc[4, "load"] = np.inf
    roles = Roles(id="machine", features=("speed",), target=("load",))
    with pytest.raises(InvalidSequencesError, match="'load' of 'machines' is infinite at row 4: .* drop that step"):
        StepRegressTask().from_table(steps_table, roles, name="machines")


def test_the_baselines_see_each_step_alone(steps_table):
    task = StepRegressTask()
    roles = Roles(id="machine", features=("speed",), target=("load",))
    data = task.from_table(steps_table, roles, name="machines")
    train, test = task.split(task.estimator({}), data, test_size=2, seed=0)
    baselines = task.baselines(task.estimator({}), train, test)
    assert baselines["ridge regression"]["r2"] > 0.9  # the load is twice the speed at the same step
    assert baselines["mean"]["r2"] <= 0


def test_a_search_takes_the_scores_of_all_steps(steps_table):
    task = StepClassifyTask()
    data = task.from_table(steps_table, ROLES, name="machines")
    search = GridSearchCV(
        task.estimator(SMALL),
        {"cell": ["rnn", "gru"]},
        cv=task.cv(task.estimator({}), data, n_splits=2, seed=0),
        scoring=task.scorer("log_loss"),
    ).fit(data.X, data.y)
    assert (search.cv_results_["mean_test_score"] < 0).all()


def test_errors_are_negated_by_the_scorer(steps_table):
    task = StepRegressTask()
    data = task.from_table(steps_table, Roles(id="machine", features=("speed",), target=("load",)), name="machines")
    model = task.estimator(SMALL).fit(data.X, data.y)
    metrics = task.metrics(model, data)
    scorer = task.scorer("rmse")
    assert isinstance(scorer, StepScorer)
    assert scorer(model, data.X, data.y) == -metrics["rmse"]
    assert task.scorer("r2")(model, data.X, data.y) == metrics["r2"] == pytest.approx(model.score(data.X, data.y))


def test_classes_that_were_never_trained_on_count_as_errors(steps_table):
    task = StepClassifyTask()
    data = task.from_table(steps_table, ROLES, name="machines")
    model = task.estimator(SMALL).fit(data.X, data.y)
    other = TaskData(data.X, [np.full(n, "mild") for n in data.X.lengths], "other")
    with pytest.warns(DataWarning, match=r"\['mild'\] were not in the training data"):
        assert task.metrics(model, other)["accuracy"] == 0


def test_a_score_of_whole_sequences_is_none_of_steps():
    with pytest.raises(UnknownNameError, match="There is no score 'roc_auc' for steps"):
        StepClassifyTask().scorer("roc_auc")


def test_arrays_lists_and_sequences_flatten_to_the_same_rows(long_table):
    array = np.arange(12.0).reshape(2, 3, 2)
    data = StepRegressTask().from_table(
        long_table, Roles(id="machine", features=("speed",), target=("heat",)), name="machines"
    )
    np.testing.assert_array_equal(step_rows(array), step_rows(list(array)))
    np.testing.assert_array_equal(step_rows(data.X), step_rows(list(data.X)))


@pytest.mark.parametrize("task", [StepClassifyTask(), StepRegressTask()], ids=lambda task: type(task).__name__)
def test_steps_whose_target_is_unknown_count_in_no_metric(task):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 1)) for n in (4, 6, 5, 7)]
    labels = isinstance(task, StepClassifyTask)
    whole = [np.where(x[:, 0] > 0, "up", "down") if labels else x[:, 0] for x in X]
    unknown = None if labels else np.nan
    holes = [np.where(np.arange(len(each)) % 2, unknown, each) for each in whole]
    model = task.estimator(SMALL).fit(X, holes)
    alone = TaskData([x[:1] for x in X], [each[:1] for each in whole], "first steps")
    first = TaskData(X, [np.where(np.arange(len(each)) > 0, unknown, each) for each in whole], "first steps known")
    assert task.metrics(model, first) == pytest.approx(task.metrics(model, alone))
    assert task.baselines(task.estimator({}), first, first) == task.baselines(task.estimator({}), alone, alone)
    assert task.pictures(model, first, first)


def test_several_columns_of_zeros_and_ones_are_labels_of_which_any_number_apply(steps_table):
    table = steps_table.assign(fast=(steps_table["speed"] > 0).astype(int), hot=steps_table["heat"] > 0)
    roles = Roles(id="machine", time="hour", features=("speed", "heat"), target=("fast", "hot"))
    task = StepClassifyTask()
    data = task.from_table(table, roles, name="machines")
    assert [each.shape for each in data.y] == [(n, 2) for n in data.X.lengths]
    train, test = task.split(task.estimator({}), data, test_size=2, seed=0)
    settings = {**SMALL, "hidden_size": 8, "max_epochs": 80}
    model = task.estimator(settings).fit(train.X, train.y)
    assert task.metrics(model, train)["f1_macro"] > 0.9  # a label is a threshold of a feature at the same step
    assert set(task.baselines(model, train, test)) == {"most frequent class", "logistic regression"}
    assert list(task.pictures(model, train, test)) == ["learning_curves"]
    frame = task.predictions(model, test)
    assert list(frame) == ["id", "step", "prediction_fast", "prediction_hot", "p_fast", "p_hot"]
    assert (frame["prediction_hot"] == (frame["p_hot"] > 0.5)).all()
    assert task.scorer("f1_micro")(model, train.X, train.y) == task.metrics(model, train)["f1_micro"]


def test_a_score_of_one_label_does_not_apply_to_several(steps_table):
    table = steps_table.assign(fast=(steps_table["speed"] > 0).astype(int), hot=steps_table["heat"] > 0)
    task = StepClassifyTask()
    data = task.from_table(table, Roles(id="machine", features=("speed",), target=("fast", "hot")), name="machines")
    assert task.scoring_fault("f1_micro", data) is None
    assert task.scoring_fault("log_loss", data) == (
        "'log_loss' does not apply to several labels. Use one of accuracy, f1_macro, f1_micro."
    )


def test_a_task_of_two_methods_reads_tables_and_has_its_own_scores(steps_table):
    task = WorstStepTask()
    data = task.from_table(steps_table, Roles(id="machine", features=("speed",), target=("load",)), name="machines")
    model = task.estimator(SMALL).fit(data.X, data.y)
    assert task.scorer("worst")(model, data.X, data.y) == -task.metrics(model, data)["worst_error"]
    assert task.baselines(model, data, data) == {}
    assert list(task.predictions(model, data)) == ["id", "step", "prediction"]
    with pytest.raises(UnknownNameError, match="There are worst"):
        task.scorer("accuracy")


def test_a_task_that_needs_no_target_reads_and_splits_tables_without_one(steps_table):
    task = WorstStepTask()
    data = task.from_table(steps_table, Roles(id="machine", features=("speed",)), name="machines")
    train, test = task.split(None, data, test_size=2, seed=0)
    assert (data.y, train.y, test.y) == (None, None, None)
    assert (len(train.X), len(test.X)) == (4, 2)
    assert task.scoring_fault(None, data) is None
