"""Every hook, in a distribution that is installed, used as its users would."""

import inspect
import re

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from seqpipe import Recurrent, SequenceClassifier, SequenceRegressor, StepRegressor, hookspecs
from seqpipe.cli import app
from seqpipe.exceptions import InvalidSequencesError, PluginError, RecipeError
from seqpipe.pipeline import predict_table, run_recipe
from seqpipe.plugins import KINDS
from seqpipe.recurrence.wrappers import wrap

HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, "seqpipe_spec")]
SMALL = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}
HEAD = """
import numpy as np
import pandas as pd
import seqpipe
import torch
from seqpipe.specs import *
"""


@pytest.fixture
def plugin(site, fresh_host):
    """Install a plug-in that offers one record through a hook, after lines of code."""

    def install(hook, record, code="", distribution="acme"):
        source = f"{HEAD}\n{code}\n@seqpipe.hookimpl\ndef {hook}():\n    return [{record}]\n"
        site.install(distribution, source)
        return site

    return install


@pytest.fixture
def data():
    X = np.random.default_rng(0).normal(size=(60, 6, 2))
    return X, (X[:, :, 0].mean(axis=1) > 0).astype(int)


def recipe(**sections):
    tiny = {"task": {"classify": {"hidden_size": 4, "max_epochs": 1}}, "tracking": {"enabled": False}}
    return {"data": {"dataset": "digits"}} | tiny | sections


# ---- what every hook has


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_test(hook):
    assert f"test_hook_{hook}" in globals()


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_says_in_one_sentence_what_it_is_for(hook):
    first, *_ = inspect.getdoc(getattr(hookspecs, hook)).split("\n\n")
    assert re.fullmatch(r"Offer .+\.", first)


def test_every_hook_has_a_kind_with_its_record():
    assert {kind.hook for kind in KINDS.values()} == set(HOOKS)
    for kind in KINDS.values():
        assert inspect.signature(getattr(hookspecs, kind.hook)).return_annotation == f"Iterable[{kind.spec.__name__}]"


# ---- in estimators


def test_hook_seqpipe_cells(plugin, data):
    plugin("seqpipe_cells", "CellSpec('copy_of_gru', seqpipe.GRUCell)")
    with_plugin = SequenceClassifier("copy_of_gru", **SMALL).fit(*data)
    own = SequenceClassifier("gru", **SMALL).fit(*data)
    np.testing.assert_array_equal(with_plugin.predict_proba(data[0]), own.predict_proba(data[0]))


def test_hook_seqpipe_engines(plugin, data, monkeypatch):
    code = """
from seqpipe.recurrence import Engine, LoopEngine
class Ours(Engine):
    name = "ours"
    def refuses(self, cell):
        return None
    def run(self, cell, x, valid, state):
        return LoopEngine().run(cell, x, valid, state)
"""
    plugin("seqpipe_engines", "EngineSpec('ours', Ours)", code)
    monkeypatch.delenv("SEQPIPE_ENGINE", raising=False)
    layers = Recurrent(SequenceClassifier("gru", **SMALL).fit(*data).net_.module_.recurrent.cells[0], engine="ours")
    layers(torch.zeros(2, 3, 2))
    assert layers.explain()[0].engine == "ours"


def test_hook_seqpipe_wrappers(plugin, data):
    code = """
from seqpipe.recurrence.wrappers import Wrapper
class Doubled(Wrapper):
    def __init__(self, cell, by=2.0):
        super().__init__(cell)
        self.by = by
    def step(self, x_t, state):
        output, state = self.cell.step(x_t, state)
        return self.by * output, state
"""
    plugin("seqpipe_wrappers", "WrapperSpec('doubled', Doubled)", code)
    cell = SequenceClassifier("rnn", **SMALL).fit(*data).net_.module_.recurrent.cells[0]
    x = torch.randn(3, 2)
    torch.testing.assert_close(wrap(cell, ["doubled"])(x)[0], 2 * cell(x)[0])
    torch.testing.assert_close(wrap(cell, [{"doubled": {"by": 3.0}}])(x)[0], 3 * cell(x)[0])
    assert SequenceClassifier("rnn", wrappers=["doubled"], **SMALL).fit(*data).score(*data) > 0.4


POOLING = """
class Middle(torch.nn.Module):
    def __init__(self, n_features, num_directions):
        super().__init__()
        self.output_size = n_features
    def forward(self, outputs, valid):
        lengths = torch.full((len(outputs),), outputs.shape[1]) if valid is None else valid.lengths
        return outputs[torch.arange(len(outputs)), lengths // 2]
"""


def test_hook_seqpipe_poolings(plugin, data):
    plugin("seqpipe_poolings", "PoolingSpec('middle', Middle)", POOLING)
    X, y = data
    model = SequenceClassifier(pooling="middle", **SMALL).fit(X, y)
    changed = X.copy()
    changed[:, 4:] = 0  # the output in the middle does not see them
    np.testing.assert_array_equal(model.predict_proba(changed), model.predict_proba(X))
    assert SequenceClassifier(pooling="middle", n_members=2, **SMALL).fit(X, y).score(X, y) > 0.4
    with pytest.raises(ValueError, match="Middle needs all steps of a sequence and does not support streams"):
        model.stream()


@pytest.mark.parametrize(
    ("pooling", "fault"),
    [
        ("dict", "cannot|failed with TypeError"),
        ("lambda n, d: 3", "must be a torch module with an 'output_size'. Its factory returned 3"),
        ("lambda n, d: torch.nn.Identity()", "must be a torch module with an 'output_size'"),
        (
            "lambda n, d: setattr(m := Middle(n, d), 'output_size', 9) or m",
            r"must map an input of shape \(2, 3, 4\) to \(2, 9\). Its output has shape \(2, 4\)",
        ),
    ],
)
def test_a_pooling_that_breaks_the_protocol_is_told(plugin, data, pooling, fault):
    plugin("seqpipe_poolings", f"PoolingSpec('middle', {pooling})", POOLING)
    with pytest.raises(PluginError, match=f"The pooling 'middle' of the plug-in 'acme' ({fault})"):
        SequenceClassifier(pooling="middle", **SMALL).fit(*data)


def test_hook_seqpipe_heads(plugin, data):
    code = """
def deep(n_features, n_outputs):
    return torch.nn.Sequential(torch.nn.Linear(n_features, 8), torch.nn.ReLU(), torch.nn.Linear(8, n_outputs))
"""
    plugin("seqpipe_heads", "HeadSpec('deep', deep)", code)
    X, y = data
    assert (
        SequenceClassifier(head="deep", **SMALL).fit(X, y).n_parameters_
        > SequenceClassifier(**SMALL).fit(X, y).n_parameters_
    )
    model = SequenceRegressor(head="deep", n_members=2, **SMALL).fit(X, y)
    stream = model.stream()
    for step in X[0]:
        last = stream.push(step)
    np.testing.assert_allclose(last, model.predict(X[:1])[0], rtol=1e-4)
    assert StepRegressor(head="deep", **SMALL).fit(X, X[:, :, 0]).predict(X).shape == (60, 6)


def test_a_head_of_another_size_is_told(plugin, data):
    plugin("seqpipe_heads", "HeadSpec('wide', lambda n, m: torch.nn.Linear(n, m + 1))")
    with pytest.raises(PluginError, match=r"The head 'wide' of the plug-in 'acme' must map .* to \(2, 2\)"):
        SequenceClassifier(head="wide", **SMALL).fit(*data)


def test_hook_seqpipe_losses(plugin, data):
    code = """
class Focal(torch.nn.Module):
    def __init__(self, gamma=2.0, reduction="mean"):
        super().__init__()
        self.gamma, self.reduction = gamma, reduction
    def forward(self, outputs, targets):
        log_p = outputs.log_softmax(dim=1).gather(1, targets[:, None])[:, 0]
        return -((1 - log_p.exp()) ** self.gamma) * log_p
"""
    plugin("seqpipe_losses", "LossSpec('focal', Focal)", code)
    X, y = data
    focal = SequenceClassifier(net_params={"criterion": "focal"}, **SMALL).fit(X, y)
    plain = SequenceClassifier(**SMALL).fit(X, y)
    zero = SequenceClassifier(net_params={"criterion": "focal", "criterion__gamma": 0.0}, **SMALL).fit(X, y)
    assert np.abs(focal.predict_proba(X) - plain.predict_proba(X)).max() > 1e-3
    np.testing.assert_allclose(zero.predict_proba(X), plain.predict_proba(X), atol=1e-5)
    result = run_recipe(recipe(task={"classify": {"hidden_size": 4, "max_epochs": 1, "net__criterion": "focal"}}))
    assert result.estimator.net_params == {"criterion": "focal"}


def test_hook_seqpipe_callbacks(plugin, data, capsys):
    code = """
from skorch.callbacks import Callback
class Shout(Callback):
    def __init__(self, word="epoch"):
        self.word = word
    def on_epoch_end(self, net, **kwargs):
        print(self.word)
"""
    plugin("seqpipe_callbacks", "CallbackSpec('shout', Shout)", code)
    SequenceClassifier(net_params={"callbacks": ["shout"]}, **SMALL).fit(*data)
    assert capsys.readouterr().out == "epoch\nepoch\n"
    run_recipe(
        recipe(task={"classify": {"hidden_size": 4, "max_epochs": 1, "net__callbacks": [{"shout": {"word": "hey"}}]}})
    )
    assert capsys.readouterr().out == "hey\n"


# ---- in recipes


def test_hook_seqpipe_tasks(plugin):
    code = """
from seqpipe.tasks import ClassifyTask
class Count(ClassifyTask):
    def metrics(self, estimator, data):
        return {"n": float(len(data.X))}
"""
    plugin("seqpipe_tasks", "TaskSpec('count', Count)", code)
    result = run_recipe(recipe(task={"count": {"hidden_size": 4, "max_epochs": 1}}, evaluate={"test_size": 100}))
    assert result.metrics == {"n": 100.0}


def test_hook_seqpipe_datasets(plugin):
    code = """
from seqpipe.datasets import Dataset
def coins():
    X = np.random.default_rng(0).integers(2, size=(80, 5, 1)).astype(float)
    return Dataset("coins", X, X[:, 0, 0].astype(int))
"""
    plugin("seqpipe_datasets", "DatasetSpec('coins', coins)", code)
    assert run_recipe(recipe(data={"dataset": "coins"})).metrics["accuracy"] >= 0


def test_a_data_set_of_another_type_is_told(plugin):
    plugin("seqpipe_datasets", "DatasetSpec('coins', dict)")
    with pytest.raises(
        PluginError, match=r"The dataset 'coins' of the plug-in 'acme' must be a seqpipe.datasets.Dataset"
    ):
        run_recipe(recipe(data={"dataset": "coins"}))


READER = """
def read(path):
    with np.load(path) as found:
        X, y = found["X"], found["y"]
    from seqpipe.datasets import Dataset
    return Dataset(path.stem, X, y)
"""


def test_hook_seqpipe_readers(plugin, tmp_path, data, monkeypatch):
    plugin("seqpipe_readers", "ReaderSpec('npz', read, suffixes=('.npz',))", READER)
    monkeypatch.chdir(tmp_path)
    np.savez("waves.npz", X=data[0], y=data[1])
    result = run_recipe(recipe(data={"path": "waves.npz"}, tracking={"uri": f"sqlite:///{tmp_path}/runs.db"}))
    found = predict_table(result.record.model_uri, "waves.npz", tracking_uri=result.record.tracking_uri)
    assert found["prediction"].tolist() == result.final.predict(data[0]).tolist()


def test_a_reader_may_return_a_table(plugin, tmp_path):
    code = "def read(path):\n    return pd.read_json(path, lines=True)"
    plugin("seqpipe_readers", "ReaderSpec('jsonl', read, suffixes=('.jsonl',))", code)
    rows = [f'{{"id": {i}, "x": {i % 7 + t}, "label": "{"ab"[i % 2]}"}}' for i in range(40) for t in range(4)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    source = {"path": str(tmp_path / "rows.jsonl"), "id": "id", "features": "x", "target": "label"}
    assert run_recipe(recipe(data=source)).metrics["accuracy"] >= 0


def test_a_file_that_its_reader_cannot_read_is_told(plugin, tmp_path):
    plugin("seqpipe_readers", "ReaderSpec('npz', read, suffixes=('.npz',))", READER)
    (tmp_path / "broken.npz").write_text("not an archive")
    with pytest.raises(
        InvalidSequencesError, match=r"broken.npz: the file cannot be read. The reader 'npz' of the plug-in"
    ):
        run_recipe(recipe(data={"path": str(tmp_path / "broken.npz")}))


def test_hook_seqpipe_transformers(plugin):
    code = """
from sklearn.preprocessing import FunctionTransformer
def half():
    return FunctionTransformer(lambda X: X[:, ::2])
"""
    plugin("seqpipe_transformers", "TransformerSpec('half', half)", code)
    result = run_recipe(recipe(steps=["half"]))
    assert result.estimator.named_steps["half"].transform(np.zeros((3, 8, 2))).shape == (3, 4, 2)


METRIC = """
def wrong(y_true, y_pred):
    return float(np.sum(np.asarray(y_true) != np.asarray(y_pred)))
"""


def test_hook_seqpipe_metrics(plugin):
    plugin("seqpipe_metrics", "MetricSpec('wrong', wrong, greater_is_better=False)", METRIC)
    search = {"grid": {"hidden_size": [2, 3]}, "cv": 2, "scoring": "wrong"}
    result = run_recipe(recipe(search=search, evaluate={"metrics": "wrong", "test_size": 200}))
    assert result.metrics["wrong"] == pytest.approx(200 * (1 - result.metrics["accuracy"]))
    assert result.best_score == max(result.table["mean"]) < 0


def test_a_metric_of_a_step_task_gets_all_steps(plugin):
    plugin("seqpipe_metrics", "MetricSpec('n_steps', lambda truth, predicted: len(truth) + len(predicted))")
    result = run_recipe(
        recipe(
            data={"dataset": "wave_windows"},
            task={"step_regress": {"hidden_size": 2, "max_epochs": 1}},
            evaluate={"metrics": ["n_steps"], "test_size": 30},
        )
    )
    assert result.metrics["n_steps"] == 2 * 30 * 20


def test_an_unknown_metric_or_picture_is_told_with_its_line():
    with pytest.raises(RecipeError, match="evaluate.metrics"):
        run_recipe(recipe(evaluate={"metrics": ["wrongg"]}))
    with pytest.raises(RecipeError, match="evaluate.pictures"):
        run_recipe(recipe(evaluate={"pictures": ["wrongg"]}))


def test_hook_seqpipe_pictures(plugin):
    code = """
from matplotlib.figure import Figure
def sizes(estimator, train, test):
    figure = Figure()
    figure.subplots().bar(["train", "test"], [len(train.X), len(test.X)])
    return figure
"""
    plugin("seqpipe_pictures", "PictureSpec('sizes', sizes)", code)
    assert "sizes" in run_recipe(recipe(evaluate={"pictures": ["sizes"]})).pictures


# ---- on the command line


COMMAND = """
def greet(name: str, loud: bool = False):
    \"\"\"Greet somebody.\"\"\"
    if name == "nobody":
        raise ValueError("there is nobody")
    print(name.upper() if loud else name)
"""


def test_hook_seqpipe_commands(plugin):
    plugin("seqpipe_commands", "CommandSpec('say_hello', greet, summary='greet somebody')", COMMAND)
    run = CliRunner().invoke
    assert run(app, ["say-hello", "bob", "--loud"]).stdout == "BOB\n"
    assert "Greet somebody." in run(app, ["say-hello", "--help"]).stdout
    assert re.search("say-hello +greet somebody", run(app, ["--help"]).stdout)
    failed = run(app, ["say-hello", "nobody"])
    assert (failed.exit_code, "there is nobody" in failed.output) == (1, True)
    assert run(app, ["acme:say-hello", "bob"]).stdout == "bob\n"
    assert run(app, ["--no-plugins", "say-hello", "bob"]).exit_code == 2


def test_a_command_of_seqpipe_keeps_its_name(plugin):
    plugin("seqpipe_commands", "CommandSpec('ui', greet)", COMMAND)
    run = CliRunner().invoke
    assert "Browse recorded runs" in run(app, ["ui", "--help"]).stdout
    assert run(app, ["acme:ui", "bob"]).stdout == "bob\n"
