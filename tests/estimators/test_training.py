"""Training of estimators: seeds, weights, early stopping, divergence, warm starts."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest
import sklearn
import torch
from joblib import Parallel, delayed
from packaging.version import Version
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from skorch.callbacks import Callback

from seqpipe.estimators import SequenceClassifier, SequenceRegressor
from seqpipe.exceptions import DivergenceWarning
from seqpipe.transformers import SequenceScaler

TINY = {"hidden_size": 8, "max_epochs": 10, "random_state": 0}
rng = np.random.default_rng(0)
X = rng.normal(size=(64, 6, 2)).astype("float32")
y = (X[:, :, 0].mean(axis=1) > 0).astype(int)

FIT = """
import hashlib, numpy as np, sys
from seqpipe.estimators import SequenceClassifier
rng = np.random.default_rng(1)
X = [rng.normal(size=(n, 2)) for n in rng.integers(2, 20, size=100)]
y = np.arange(100) % 3
model = SequenceClassifier(hidden_size=8, dropout=0.2, num_layers=2, max_epochs=3, batch_size=16, random_state=0).fit(X, y)
print(hashlib.sha256(model.predict_proba(X).tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_another_process_with_the_same_seed_gives_the_same_bits(capsys: pytest.CaptureFixture[str]) -> None:
    exec(FIT, {})
    ran = subprocess.run([sys.executable, "-c", FIT], capture_output=True, text=True, check=True)
    assert ran.stdout == capsys.readouterr().out


def test_a_seed_of_zero_is_a_seed() -> None:
    first, second = (SequenceClassifier(**TINY).fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = SequenceClassifier(**{**TINY, "random_state": 1}).fit(X, y).predict_proba(X)
    assert not np.array_equal(first, other)


def test_the_users_random_generators_end_as_they_began() -> None:
    np.random.seed(3)
    torch.manual_seed(3)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    model = SequenceClassifier(**TINY).fit(X, y)
    pickle.loads(pickle.dumps(model)).predict(X)
    assert np.array_equal(before[0], np.random.get_state()[1])
    assert torch.equal(before[1], torch.get_rng_state())


@pytest.mark.parametrize("estimator", [SequenceClassifier(**TINY, lr=1e20), SequenceRegressor(**TINY, lr=1e20)])
def test_a_fit_that_explodes_stops_at_once_with_finite_weights(estimator) -> None:
    with pytest.warns(DivergenceWarning, match=r"stopped at update \d, in epoch 1: .*Lower lr \(now 1e\+20\)"):
        estimator.fit(X, y)
    weights = estimator.net_.module_.parameters()
    assert all(torch.isfinite(p).all() and p.abs().max() < 100 for p in weights)
    assert np.isfinite(estimator.predict(X)).all()


def test_a_search_with_a_candidate_that_explodes_goes_on() -> None:
    search = GridSearchCV(SequenceClassifier(**TINY), {"lr": [1e20, 0.01]}, cv=2)
    with pytest.warns(DivergenceWarning):
        search.fit(X, y)
    assert search.best_params_ == {"lr": 0.01}


def test_a_search_in_which_every_fit_fails_is_an_error() -> None:
    with pytest.raises(ValueError, match="All the 4 fits failed"):
        GridSearchCV(SequenceClassifier(**TINY), {"cell": ["gruu", "lstmm"]}, cv=2).fit(X, y)


def test_a_search_in_which_a_fit_fails_says_so() -> None:
    search = GridSearchCV(SequenceClassifier(**TINY), {"cell": ["gruu", "gru"]}, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with pytest.warns(FitFailedWarning, match="Did you mean 'gru'"):
            search.fit(X, y)
    assert search.best_params_ == {"cell": "gru"}


def test_dropping_a_sample_equals_giving_it_no_weight() -> None:
    weight = np.ones(64)
    weight[40:] = 0
    model = SequenceRegressor(**TINY, batch_size=64, dtype="float64")
    weighted = clone(model).fit(X, y, sample_weight=weight).predict(X)
    np.testing.assert_allclose(weighted, clone(model).fit(X[:40], y[:40]).predict(X), rtol=1e-9)


@pytest.mark.skipif(
    Version(sklearn.__version__) < Version("1.8"),
    reason="a Pipeline of scikit-learn 1.7 does not pass on its last step's requests",
)
def test_metadata_routing_takes_weights_through_a_search_over_a_pipeline() -> None:
    weight = np.random.default_rng(0).uniform(size=64)
    steps = [("scale", SequenceScaler()), ("net", SequenceClassifier("rnn", **TINY))]
    expected = Pipeline(steps).fit(X, y, net__sample_weight=weight).predict_proba(X)
    with sklearn.config_context(enable_metadata_routing=True):
        net = SequenceClassifier(**TINY).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(Pipeline([("scale", SequenceScaler()), ("net", net)]), {"net__cell": ["rnn"]}, cv=2)
        search.fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(search.best_estimator_.predict_proba(X), expected)


def test_class_weights_move_the_decision() -> None:
    noise = np.random.default_rng(0).normal(size=(200, 4, 1))
    labels = (np.arange(200) < 20).astype(int)
    plain = SequenceClassifier(**TINY).fit(noise, labels)
    heavy = SequenceClassifier(**TINY, class_weight={0: 1, 1: 50}).fit(noise, labels)
    balanced = SequenceClassifier(**TINY, class_weight="balanced").fit(noise, labels)
    assert plain.predict(noise).mean() < balanced.predict(noise).mean() < heavy.predict(noise).mean()


@pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")
def test_early_stopping_stops_and_keeps_the_best_weights() -> None:
    labels = np.random.default_rng(0).integers(0, 2, size=64)
    model = SequenceClassifier(
        hidden_size=32,
        max_epochs=200,
        early_stopping=True,
        validation_fraction=0.25,
        n_iter_no_change=5,
        random_state=0,
    ).fit(X, labels)
    losses = [epoch["valid_loss"] for epoch in model.history_]
    assert model.n_iter_ == len(losses) < 200
    assert model.n_iter_ == np.argmin(losses) + 1 + 5


def test_warm_start_goes_on_and_a_fresh_fit_does_not() -> None:
    model = SequenceClassifier(**TINY, warm_start=True).fit(X, y)
    first = model.history_[-1]["train_loss"]
    model.fit(X, y)
    assert model.n_iter_ == 20
    assert model.history_[-1]["train_loss"] < first
    fresh = SequenceClassifier(**TINY).fit(X, y)
    np.testing.assert_array_equal(fresh.predict_proba(X), clone(fresh).fit(X, y).predict_proba(X))


def test_partial_fit_learns_an_epoch_at_a_time_also_after_a_pickle() -> None:
    model = SequenceClassifier(**TINY, batch_size=16)
    for _ in range(15):
        model = pickle.loads(pickle.dumps(model.partial_fit(X, y, classes=[0, 1])))
    assert model.n_iter_ == 15
    assert model.score(X, y) > 0.9


def test_the_auto_budget_makes_600_updates_of_small_data() -> None:
    model = SequenceClassifier(hidden_size=4, random_state=0).fit(X, y)
    assert model.n_iter_ * 2 >= 600


def test_the_rest_of_skorch_is_within_reach() -> None:
    seen = []

    class Spy(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(type(net.optimizer_).__name__)

    model = SequenceClassifier(**TINY, lr_schedule=None)
    model.set_params(optimizer=torch.optim.SGD, net__optimizer__momentum=0.9, net__callbacks=[("spy", Spy())])
    assert clone(model).get_params()["net__optimizer__momentum"] == 0.9
    model.fit(X, y)
    assert seen == ["SGD"] * 10
    assert model.net_.optimizer_.param_groups[0]["momentum"] == 0.9


def test_a_search_reaches_the_optimizer() -> None:
    search = GridSearchCV(SequenceClassifier(**TINY), {"net__optimizer__eps": [1e-8, 1e-3]}, cv=2).fit(X, y)
    assert search.best_estimator_.net_params.keys() == {"optimizer__eps"}


def test_history_has_a_record_an_epoch() -> None:
    model = SequenceClassifier(**TINY).fit(X, y)
    assert [epoch["epoch"] for epoch in model.history_] == list(range(1, 11))
    assert {"train_loss", "lr", "grad_norm", "dur"} <= model.history_[0].keys()
    assert all(type(value) in (int, float) for epoch in model.history_ for value in epoch.values())


def test_progress_is_shown_when_asked(capsys) -> None:
    SequenceClassifier(**TINY, verbose=1).fit(X, y)
    assert "10/10" in capsys.readouterr().err
    SequenceClassifier(**TINY).fit(X, y)
    assert capsys.readouterr() == ("", "")


def test_fits_in_threads_give_the_bits_of_fits_in_turn() -> None:
    def fit() -> np.ndarray:
        return SequenceClassifier(**TINY, dropout=0.3).fit(X, y).predict_proba(X)

    before, threads = torch.get_rng_state(), torch.get_num_threads()
    expected = fit()
    found = Parallel(2, backend="threading")(delayed(fit)() for _ in range(4))
    assert all(np.array_equal(one, expected) for one in found)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads


def test_a_ctrl_c_at_the_end_of_an_epoch_ends_the_fit_too() -> None:
    class Interrupt(Callback):
        def on_epoch_end(self, net, **kwargs):
            os.kill(os.getpid(), signal.SIGINT)
            sum(range(1000))

    model = SequenceClassifier(**TINY).set_params(net__callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)


def test_callbacks_without_names_are_left_behind_by_a_pickle() -> None:
    model = SequenceClassifier(**TINY).set_params(net__callbacks=[Callback()]).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_a_single_update_learns() -> None:
    model = SequenceClassifier(hidden_size=4, max_epochs=1, batch_size=64, random_state=0).fit(X, y)
    assert model.history_[0]["lr"] == 0.01


def test_a_state_that_names_anything_but_a_network_is_not_loaded() -> None:
    model = SequenceClassifier(**TINY).fit(X, y)
    state = model.__getstate__()
    for forged in ({"net_params": {"criterion": os.system}}, {"cell": os.system}, {"hidden_size": {}}):
        with pytest.raises((TypeError, ValueError)):
            SequenceClassifier().__setstate__({**state, **forged})


def test_the_optimizer_is_fused_unless_the_user_says_otherwise() -> None:
    fused = SequenceClassifier(**TINY).fit(X, y)
    assert fused.net_.optimizer_.defaults["fused"]
    model = SequenceClassifier(net_params={"optimizer__fused": False}, **TINY).fit(X, y)
    assert not model.net_.optimizer_.defaults["fused"]
    np.testing.assert_allclose(fused.predict_proba(X), model.predict_proba(X), atol=1e-3)
