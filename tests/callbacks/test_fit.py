"""Fits with callbacks of estimators that support none, as searches and pipelines of scikit-learn before 1.9."""

from __future__ import annotations

from pathlib import Path

import pytest
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import seqpipe
from seqpipe.callbacks import REFIT, _fit, _stand_in, fit_with_callbacks, without_callbacks
from seqpipe.exceptions import TrackingWarning


@pytest.fixture
def without_support(monkeypatch):
    """Let no search or pipeline support callbacks."""
    monkeypatch.setattr(_fit, "CallbackSupportMixin", _stand_in.CallbackSupportMixin)


def kinds(diary):
    return [entry[:3] for entry in diary.entries]


def test_an_estimator_with_support_is_fitted_with_its_callbacks(guess, diary, data, monkeypatch):
    monkeypatch.setattr(_fit, "CallbackSupportMixin", guess.__mro__[1])
    model = guess(max_epochs=1)
    assert fit_with_callbacks(model, [diary], *data) is model
    assert len(diary.entries) == 6


@pytest.mark.usefixtures("without_support")
def test_a_search_notifies_of_itself_and_of_its_refit_and_says_so_once(guess, diary, data):
    search = GridSearchCV(guess(), {"max_epochs": [1, 2]}, cv=2)
    remedy = r"GridSearchCV of scikit-learn .* does not notify callbacks .*pip install -U 'scikit-learn>=1.9'"
    with pytest.warns(TrackingWarning, match=remedy) as warned:
        fit_with_callbacks(search, [diary], *data)

    assert len(warned) == 1
    refit = ((REFIT, 0),)
    assert kinds(diary) == [
        ("opened", (), "fit"),
        ("began", (), "fit"),
        ("began", refit, REFIT),
        ("began", (*refit, ("epoch", 0)), "epoch"),
        ("ended", (*refit, ("epoch", 0)), "epoch"),
        ("ended", refit, REFIT),
        ("ended", (), "fit"),
        ("closed", (), "fit"),
    ]
    assert diary.entries[5][3] == {"n_parameters": 5}
    assert search.best_params_ == {"max_epochs": 1}


@pytest.mark.usefixtures("without_support")
@pytest.mark.filterwarnings("ignore:.*does not notify callbacks")
def test_a_search_without_a_refit_notifies_of_itself(guess, diary, data):
    fit_with_callbacks(GridSearchCV(guess(), {"max_epochs": [1]}, cv=2, refit=False), [diary], *data)
    assert kinds(diary)[2:] == [("ended", (), "fit"), ("closed", (), "fit")]


@pytest.mark.usefixtures("without_support")
@pytest.mark.filterwarnings("ignore:.*does not notify callbacks")
def test_the_last_step_of_a_pipeline_is_a_task_of_its_fit(stand_in_guess, diary, data):
    fit_with_callbacks(make_pipeline(StandardScaler(), stand_in_guess(max_epochs=1)), [diary], *data)
    step = (("fit-final-estimator", 0),)
    assert kinds(diary)[2:-2] == [
        ("began", step, "fit-final-estimator"),
        ("began", (*step, ("epoch", 0)), "epoch"),
        ("ended", (*step, ("epoch", 0)), "epoch"),
        ("ended", step, "fit-final-estimator"),
    ]


@pytest.mark.usefixtures("without_support")
@pytest.mark.filterwarnings("ignore:.*does not notify callbacks")
def test_a_fit_that_raises_is_closed(guess, diary, data):
    class Failing(BaseEstimator):
        def fit(self, X, y=None):
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        fit_with_callbacks(Failing(), [diary], *data)
    assert kinds(diary)[-2:] == [("began", (), "fit"), ("closed", (), "fit")]


def test_a_copy_without_callbacks_leaves_the_estimator_as_it_is(guess, diary, data):
    model = guess().set_callbacks(diary).fit(*data)
    bare = without_callbacks(model)
    bare.fit(*data)
    n_entries = len(diary.entries)
    model.fit(*data)
    assert len(diary.entries) == 2 * n_entries


def test_scikit_learns_callbacks_are_imported_in_one_place():
    package = Path(seqpipe.__file__).parent
    importing = {path.parent.name for path in package.rglob("*.py") if "sklearn.callback" in path.read_text()}
    assert importing == {"callbacks"}
