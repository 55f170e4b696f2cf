"""Malicious model folders of trusted types only: none of their code runs, and none crashes the process."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from torch.optim import SGD
from typer.testing import CliRunner

from seqpipe.cli import app
from seqpipe.estimators import SequenceClassifier, SlidingWindowClassifier
from seqpipe.exceptions import TrackingError
from seqpipe.tracking import load_model
from seqpipe.tracking._model import save_model

X = np.random.default_rng(0).normal(size=(20, 6, 2)).astype("f4")
y = np.arange(20) % 2


@pytest.fixture(scope="module")
def fitted() -> SequenceClassifier:
    return SequenceClassifier(hidden_size=3, max_epochs=1, random_state=0).fit(X, y)


@pytest.fixture
def forged(tmp_path: Path) -> Any:
    """Save any object in place of a valid model, and return the folder of the model."""

    def forge(estimator: Any) -> Path:
        folder = tmp_path / "model"
        save_model(LogisticRegression().fit(X[:, 0], y), X[:, 0], folder)
        skops.io.dump(estimator, folder / "model.skops")
        return folder

    return forge


def with_state(monkeypatch: pytest.MonkeyPatch, **entries: Any) -> None:
    """Replace entries of the state that is saved of a classifier."""
    state = SequenceClassifier.__getstate__
    monkeypatch.setattr(SequenceClassifier, "__getstate__", lambda self: {**state(self), **entries})


def test_options_of_torch_compile_run_no_command(fitted, forged, monkeypatch, tmp_path) -> None:
    marker = tmp_path / "ran"
    option = f"off -wrapper 'sh,-c,id>{marker}'"
    options = {"cpp.enable_floating_point_contract_flag": option}
    module = {f"_orig_mod.{name}": value for name, value in fitted.__getstate__()["_net_state"]["module"].items()}
    net = {**fitted.__getstate__()["_net_state"], "module": module, "optimizer": {}}
    with_state(monkeypatch, _net_state=net, net_params={"compile": True, "compile__options": options})
    folder = forged(fitted)
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    ran = CliRunner().invoke(app, ["predict", str(folder), str(tmp_path / "rows.csv")])
    assert ran.exit_code == 1
    assert "net_params must not have the entry 'compile'" in ran.stderr
    assert not marker.exists()


@pytest.mark.parametrize(
    "entries",
    [
        {"_parameter_constraints": {}, "dtype": "load"},
        {"_network": SGD},
        {"_make_net_to_predict": SGD},
        {"predict": np.exp},
    ],
)
def test_a_state_replaces_nothing_of_its_class(entries, fitted, forged, monkeypatch) -> None:
    with_state(monkeypatch, **entries)
    with pytest.raises(TrackingError, match=f"must not replace '{next(iter(entries))}' of its class"):
        load_model(str(forged(fitted)))


@pytest.mark.parametrize(
    "net_params", [{"callbacks__valid_loss": None}, {"optimizer__lr": 1.0}, {"optimizer__no_such": {"a": [1]}}]
)
def test_what_trained_a_model_is_not_made_to_predict(net_params, fitted, forged, monkeypatch) -> None:
    with_state(monkeypatch, net_params=net_params, optimizer="Adam")
    loaded, _ = load_model(str(forged(fitted)))
    assert type(loaded.net_.optimizer_).__name__ == "SGD"
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))


def test_options_of_torch_compile_are_refused_by_a_fit() -> None:
    model = SequenceClassifier(hidden_size=2, max_epochs=1, net_params={"compile__options": {"a": 1}})
    with pytest.raises(ValueError, match="net__compile__options is not supported.* Remove it"):
        model.fit(X, y)


def test_a_tree_that_points_outside_its_memory_is_refused(forged) -> None:
    model = SlidingWindowClassifier(DecisionTreeClassifier(random_state=0), window=3).fit(X, y)
    folder = forged(model)
    _rewrite(folder / "model.skops", _point_far_away)
    with pytest.raises(TrackingError, match=r"holds .*sklearn\.tree\._tree\.Tree\. Compiled code follows"):
        load_model(str(folder))


def _rewrite(file: Path, change: Any) -> None:
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, change(content) if name.endswith(".npy") else content)


def _point_far_away(content: bytes) -> bytes:
    nodes = np.load(io.BytesIO(content)).copy()
    if not nodes.dtype.names:
        return content
    nodes["left_child"][0] = nodes["right_child"][0] = 2**40
    written = io.BytesIO()
    np.save(written, nodes)
    return written.getvalue()


def kneighbors(**settings: Any) -> KNeighborsClassifier:
    return KNeighborsClassifier(**settings).fit(X[:, 0], y)


def sparse_coefficients() -> LogisticRegression:
    model = LogisticRegression().fit(X[:, 0], y).sparsify()
    model.coef_.indices[:] = 2**30
    return model


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: kneighbors(algorithm="kd_tree"), "KDTree"),
        (lambda: kneighbors(algorithm="ball_tree"), "BallTree"),
        (lambda: kneighbors(algorithm="brute"), "KNeighborsClassifier"),
        (lambda: RandomForestClassifier(2).fit(X[:, 0], y), "Tree"),
        (lambda: HistGradientBoostingClassifier(max_iter=2).fit(X[:, 0], y), "TreePredictor"),
        (lambda: SVC().fit(X[:, 0], y), "SVC"),
        (sparse_coefficients, "csr_matrix"),
    ],
    ids=["kd tree", "ball tree", "neighbors", "forest", "boosting", "libsvm", "sparse"],
)
def test_what_compiled_code_follows_without_a_check_is_refused(make, named, forged) -> None:
    with pytest.raises(TrackingError, match=rf"holds .*\b{named}\b.* Compiled code follows"):
        load_model(str(forged(make())))


def test_a_sparse_matrix_under_another_name_is_refused(forged) -> None:
    folder = forged(sparse_coefficients())
    with zipfile.ZipFile(folder / "model.skops") as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    renamed = contents["schema.json"].replace(b'"csr_matrix"', b'"spmatrix"').replace(b"sparse._csr", b"sparse._matrix")
    with zipfile.ZipFile(folder / "model.skops", "w") as archive:
        for name, content in {**contents, "schema.json": renamed}.items():
            archive.writestr(name, content)
    assert sparse.spmatrix.__module__ == "scipy.sparse._matrix"
    with pytest.raises(TrackingError, match="holds scipy.sparse._matrix.spmatrix. Compiled code follows"):
        load_model(str(folder))


def test_a_model_that_could_not_be_read_back_is_not_written(tmp_path) -> None:
    fitted = SlidingWindowClassifier(DecisionTreeClassifier(), window=2).fit(X, y)
    with pytest.raises(TrackingError, match=r"^SlidingWindowClassifier holds .*Tree\. Compiled code .* Replace it"):
        save_model(fitted, X, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_linear_support_vector_machine_is_kept(tmp_path) -> None:
    fitted = SlidingWindowClassifier(LinearSVC(), window=2).fit(X, y)
    save_model(fitted, X, tmp_path / "model")
    loaded, _ = load_model(str(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))
