"""The package as users meet it: its names, its documents, its wheel."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import seqpipe
from seqpipe.callbacks import IS_LIVE

ROOT = Path(__file__).parents[1]


def python_blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL)


def test_importing_seqpipe_loads_neither_torch_nor_mlflow() -> None:
    code = "import sys, seqpipe; print(sorted({'torch', 'mlflow', 'sklearn', 'pandas'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_public_names_are_sorted_resolve_and_say_what_they_are() -> None:
    assert sorted(seqpipe.__all__) == seqpipe.__all__
    for name in seqpipe.__all__:
        assert inspect.getdoc(getattr(seqpipe, name)), f"{name} has no docstring"
    with pytest.raises(AttributeError, match="no attribute 'Gru'"):
        _ = seqpipe.Gru


@pytest.mark.parametrize("number", range(len(python_blocks("README.md"))))
def test_the_examples_of_the_readme_run(number: int, tmp_path: Path) -> None:
    if "set_callbacks" in python_blocks("README.md")[number] and not IS_LIVE:
        pytest.skip("searches of scikit-learn have callbacks from version 1.9 on")
    environment = {k: v for k, v in os.environ.items() if k not in ("MLFLOW_TRACKING_URI", "SEQPIPE_ENGINE")}
    ran = subprocess.run(
        [sys.executable, "-c", python_blocks("README.md")[number]],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    if "MLflowTracker" in python_blocks("README.md")[number]:
        assert re.search(r"\{'net__cell': '(rnn|gru)'\} (1\.0|0\.\d+)", ran.stdout)
        assert float(ran.stdout.split()[-1]) > 0.9
        assert (tmp_path / "mlruns" / "mlflow.db").exists()


def test_the_example_of_the_readme_is_short() -> None:
    lines = [line for line in python_blocks("README.md")[0].splitlines() if line.strip()]
    assert len(lines) <= 15


#: Pages that extensions of Sphinx write.
GENERATED = {
    "catalogue.md": "catalogue.py",
    "hooks.md": "hook_reference.py",
    "operations.md": "operations_reference.py",
}


def test_links_between_documents_lead_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("plugins/*/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
            assert (document.parent / source_of(target)).exists(), f"{document.name} links to {target}"


def source_of(target: str) -> str:
    """Return what a link leads to: of a page that the build of the documentation writes, what it is written from."""
    if target in GENERATED:
        return f"_extensions/{GENERATED[target]}"
    if match := re.fullmatch(r"(tutorials|gallery)/(\w+)\.rst", target):
        return f"examples/{match[1]}/{'GALLERY_HEADER.rst' if match[2] == 'index' else match[2] + '.py'}"
    return target


def build(kind: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    [built] = folder.glob("seqpipe-*")
    return built


def test_the_wheel_carries_the_recipes_and_the_types(tmp_path: Path) -> None:
    wheel = build("wheel", tmp_path)
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"seqpipe/pipeline/recipes/{path.name}" for path in ROOT.glob("pipelines/*.yaml")} <= set(names)
    assert "seqpipe/py.typed" in names


#: Runs the main job as ``seqpipe run`` does, with nothing installed but the wheel that comes first on the path.
MAIN_JOB = """
import sys
from importlib import metadata
import seqpipe
from seqpipe.cli import main

assert seqpipe.__file__.startswith(sys.argv.pop(1))
metadata.entry_points = lambda **selected: metadata.EntryPoints()
main()
"""


def test_the_main_job_runs_from_the_wheel_alone_in_an_empty_folder(tmp_path: Path) -> None:
    wheel, folder = build("wheel", tmp_path), tmp_path / "empty"
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    folder.mkdir()
    tiny = ("search.grid.hidden_size=[4]", "task.classify.max_epochs=1", "search.cv=2")
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            MAIN_JOB,
            str(tmp_path),
            "run",
            "digits",
            *(part for each in tiny for part in ("--set", each)),
        ],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
        | {"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert "next: seqpipe compare digits" in ran.stdout
    assert (folder / "mlruns" / "mlflow.db").is_file()


def test_the_source_distribution_carries_all_that_its_tests_need(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = [
        path.relative_to(ROOT).as_posix()
        for pattern in ("seqpipe/**/*.py", "pipelines/*.yaml", "plugins/*/**/*.py", "tests/**/*.py", "docs/*.md")
        for path in ROOT.glob(pattern)
        if path.name not in GENERATED
    ]
    wanted += ["pyproject.toml", "README.md", "LICENSE", "constraints.txt"]
    wanted += [path.relative_to(ROOT).as_posix() for path in ROOT.glob("plugins/*/pyproject.toml")]
    assert set(wanted) - names == set()
