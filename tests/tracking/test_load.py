"""Logged models loaded as estimators."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import numpy.testing
import pytest
import skops.io
from sklearn.base import is_classifier
from sklearn.linear_model import LogisticRegression
from torch.optim import SGD

from seqpipe.estimators import SequenceClassifier
from seqpipe.exceptions import TrackingError
from seqpipe.tracking import MLflowTracker, _environment, load_model
from seqpipe.tracking._model import save_model

METADATA = {"task": "classify", "columns": ["a", "b"]}


@pytest.fixture(scope="module")
def logged(uri, data):
    """A fitted estimator and the URI of its model."""
    tracker = MLflowTracker("loaded", tracking_uri=uri, model_metadata=METADATA)
    return LogisticRegression().set_callbacks(tracker).fit(*data), tracker


def test_the_estimator_comes_back_with_its_metadata(logged, uri, data):
    fitted, tracker = logged
    estimator, metadata = load_model(tracker.model_uri_, uri)
    np.testing.assert_array_equal(estimator.predict(data[0]), fitted.predict(data[0]))
    assert metadata == METADATA


def test_a_model_is_found_by_its_run_and_by_its_folder(logged, uri, client, tmp_path):
    fitted, tracker = logged
    by_run, _ = load_model(f"runs:/{tracker.run_id_}/model", uri)
    by_folder, _ = load_model(str(copied(logged, client, tmp_path)))
    assert by_run.coef_.tolist() == by_folder.coef_.tolist() == fitted.coef_.tolist()


def test_nothing_is_said_while_a_model_is_fetched(logged, uri, capfd):
    load_model(logged[1].model_uri_, uri)
    assert capfd.readouterr() == ("", "")


def test_a_run_without_the_model_is_an_error(logged, uri):
    with pytest.raises(TrackingError, match="the run has no model called 'other'"):
        load_model(f"runs:/{logged[1].run_id_}/other", uri)


def copied(logged, client, folder):
    model = client.get_logged_model(logged[1].model_uri_.removeprefix("models:/"))
    return shutil.copytree(Path(model.artifact_location.removeprefix("file://")), folder / "model")


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("models:/m-0123", "not found"),
        ("models:/name/1", "not found"),
        ("runs:/0123/model", "not found"),
        ("somewhere", "neither models:/…, runs:/… nor a folder"),
    ],
)
def test_a_model_that_is_not_there_is_an_error(uri, client, model, reason):
    with pytest.raises(TrackingError, match=f"There is no model '{model}' in .*{reason}"):
        load_model(model, uri)


def test_a_model_of_untrusted_types_is_refused_even_if_it_lists_them_as_trusted(logged, client, tmp_path):
    folder = copied(logged, client, tmp_path)
    skops.io.dump(Path("x"), folder / "model.skops")
    text = (folder / "MLmodel").read_text()
    (folder / "MLmodel").write_text(text.replace("skops_trusted_types: []", "skops_trusted_types: [pathlib.Path]"))
    with pytest.raises(TrackingError, match="holds pathlib"):
        load_model(str(folder))


def test_a_model_written_with_pickle_is_refused(logged, client, tmp_path):
    folder = copied(logged, client, tmp_path)
    text = (folder / "MLmodel").read_text()
    (folder / "MLmodel").write_text(text.replace("serialization_format: skops", "serialization_format: pickle"))
    with pytest.raises(TrackingError, match="written with 'pickle', which runs code"):
        load_model(str(folder))


def test_a_damaged_model_is_an_error(logged, client, tmp_path):
    folder = copied(logged, client, tmp_path)
    (folder / "model.skops").write_bytes(b"PK")
    with pytest.raises(TrackingError, match="cannot be read"):
        load_model(str(folder))


@pytest.mark.parametrize(
    ("function", "name"),
    [(numpy.testing.runstring, "runstring"), (_environment._git_tags, "_git_tags"), (is_classifier, "is_classifier")],
)
def test_a_function_of_a_trusted_package_is_refused(logged, client, tmp_path, function, name):
    folder = copied(logged, client, tmp_path)
    forged = LogisticRegression()
    forged.net_params = {"module__cell": function}
    skops.io.dump(forged, folder / "model.skops")
    with pytest.raises(TrackingError, match=rf"holds .*\.{name}, which is no estimator"):
        load_model(str(folder))


def test_a_model_with_an_optimizer_of_torch_is_read_back(tmp_path):
    X = np.random.default_rng(0).normal(size=(8, 4, 2)).astype("f4")
    fitted = SequenceClassifier(max_epochs=1, hidden_size=2, optimizer=SGD).fit(X, np.arange(8) % 2)
    save_model(fitted, X, tmp_path / "model")
    loaded, _ = load_model(str(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))


def test_a_fetched_model_leaves_no_copy_behind(logged, uri, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    load_model(logged[1].model_uri_, uri)
    assert list(tmp_path.iterdir()) == []
