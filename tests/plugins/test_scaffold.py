"""New plug-ins: each installs, passes its tests and checks, type-checks, and its examples run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seqpipe.cli import app
from seqpipe.exceptions import PluginError
from seqpipe.plugins import KINDS_OF_NEW, new_plugin

TEMPLATE = Path(__file__).parents[2] / "seqpipe" / "plugins" / "template"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a new plug-in of each kind, all of them installed in the folder ``site``."""
    folder = tmp_path_factory.mktemp("new")
    paths = [new_plugin(f"acme-{kind}", kind, folder=folder) for kind in KINDS_OF_NEW]
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*install, "--target", str(folder / "site"), *map(str, paths)], check=True)
    return folder


def ran(folder: Path, *command: str, within: str = ".") -> str:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder / "site"), *sys.path[:1]])}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder / within, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_new_plugins_pass_their_tests(written: Path) -> None:
    tests = [f"acme-{kind}/tests" for kind in KINDS_OF_NEW]
    shown = ran(
        written, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "--import-mode=importlib", *tests
    )
    assert " passed" in shown
    assert "skipped" not in shown


def examples(folder: Path, kind: str) -> list[str]:
    """Return the code of the notebook and of the README, and of a run of the recipe at a tiny size."""
    notebook = json.loads((folder / "example.ipynb").read_text(encoding="utf-8"))
    blocks = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    readme = (folder / "README.md").read_text(encoding="utf-8")
    blocks += [part.split("```")[0] for part in readme.split("```python\n")[1:]]
    task = f"acme_{kind}" if kind == "task" else "classify"
    tiny = [
        f"task.{task}.hidden_size=2",
        f"task.{task}.max_epochs=1",
        "tracking.enabled=false",
        "evaluate.test_size=0.8",
    ]
    return [*blocks, f"from seqpipe.pipeline import run_recipe; run_recipe('example.yaml', overrides={tiny})"]


@pytest.mark.slow  # `make downstream` runs it too
def test_the_examples_of_new_plugins_run(written: Path, tmp_path: Path) -> None:
    lines = ["import os"]
    for kind in KINDS_OF_NEW:
        shutil.copytree(written / f"acme-{kind}", tmp_path / kind)
        lines += [f"os.chdir({str(tmp_path / kind)!r})", *examples(tmp_path / kind, kind), f"print('{kind} ran')"]
    shown = ran(written, "-W", "ignore", "-c", "\n".join(lines))
    assert all(f"{kind} ran" in shown for kind in KINDS_OF_NEW)


@pytest.mark.slow  # `make downstream` runs it too
def test_new_plugins_type_check(written: Path) -> None:
    mypy = pytest.importorskip("mypy.api")
    packages = [part for kind in KINDS_OF_NEW for part in ("-p", f"acme_{kind}")]
    options = ["--config-file", str(written / "acme-task" / "pyproject.toml"), "--cache-dir", str(written / "types")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPYPATH", str(written / "site"))
        shown, errors, code = mypy.run([*options, *packages])
    assert code == 0, shown + errors


def test_copier_writes_the_same(written: Path, tmp_path: Path) -> None:
    copier = pytest.importorskip("copier")
    for kind in KINDS_OF_NEW:
        answers = {"name": f"acme-{kind}", "kind": kind, "year": 2026}
        copier.run_copy(str(TEMPLATE), tmp_path / kind, data=answers, defaults=True, quiet=True)
        for path in (written / f"acme-{kind}").rglob("*"):
            if path.is_file() and not {"__pycache__", "build"} & set(path.parts) and path.name not in ("LICENSE",):
                other = tmp_path / kind / path.relative_to(written / f"acme-{kind}")
                assert other.read_text(encoding="utf-8") == path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("acme", "cel"), "The kind of a plug-in must be one of .* Did you mean 'cell'"),
        (("Acme", "cell"), "must consist of lower case letters, digits and hyphens"),
        (("json", "cell"), "not be that of a module of Python"),
        (("../acme", "cell"), "must consist of lower case letters, digits and hyphens"),
        (("gru", "cell"), "seqpipe has a cell 'gru' of its own"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(arguments: tuple[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=message):
        new_plugin(*arguments, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    new_plugin("acme-cell", "cell", folder=tmp_path)
    with pytest.raises(PluginError, match="acme-cell exists: choose another name"):
        new_plugin("acme-cell", "cell", folder=tmp_path)


def test_the_command_writes_a_plugin_and_says_what_is_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = CliRunner().invoke(app, ["plugins", "new", "seqpipe-leaky", "--kind", "cell", "--author", "A. Author"])
    assert ran.exit_code == 0, ran.output
    assert "cd seqpipe-leaky; pip install" in ran.stdout
    assert 'CellSpec("leaky", LeakyCell' in Path("seqpipe-leaky/src/seqpipe_leaky/__init__.py").read_text()
    assert "A. Author" in Path("seqpipe-leaky/LICENSE").read_text()
    refused = CliRunner().invoke(app, ["plugins", "new", "json", "--kind", "cell"])
    assert (refused.exit_code, "must consist of" in refused.output) == (1, True)
