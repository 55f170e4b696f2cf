"""Which C compiler is found, and the message if there is none."""

import sys
from pathlib import Path

import pytest

from seqpipe.exceptions import CompilerError
from seqpipe.recurrence.compiler.c import _toolchain
from seqpipe.recurrence.compiler.c._toolchain import find_compiler, object_flags


@pytest.fixture(autouse=True)
def no_compiler_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQPIPE_CC", raising=False)


def program(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def without_ziglang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_toolchain, "find_spec", lambda name: None)


def test_the_first_that_runs_on_the_path_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path, "cc", "exit 1")
    gcc = program(tmp_path, "gcc", "echo tiny 1.0; echo more")
    program(tmp_path, "clang", "echo later 2.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_compiler() == _toolchain.Compiler((str(gcc),), "tiny 1.0")


def test_the_chosen_compiler_goes_first_and_keeps_its_arguments(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mine = program(tmp_path, "my cc", 'echo "$1 1.0"')
    monkeypatch.setenv("SEQPIPE_CC", f"'{mine}' -v2")
    assert find_compiler() == _toolchain.Compiler((str(mine), "-v2"), "-v2 1.0")


@pytest.mark.parametrize("nonsense", ["no-such-compiler", "false", "'open"])
def test_a_chosen_compiler_that_does_not_run_is_named(monkeypatch: pytest.MonkeyPatch, nonsense: str) -> None:
    monkeypatch.setenv("SEQPIPE_CC", nonsense)
    with pytest.raises(CompilerError, match=rf"SEQPIPE_CC=.*{nonsense}.* is not"):
        find_compiler()


def test_without_a_compiler_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ziglang(monkeypatch)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CompilerError, match=r'"apt install gcc" or "pip install \'seqpipe\[compiler\]\'"'):
        find_compiler()


def test_a_changed_path_is_looked_at_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_ziglang(monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CompilerError, match="No working C compiler"):
        find_compiler()
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin", "cc", "echo found 1.0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_compiler().version == "found 1.0"


def test_the_last_flags_tried_ask_nothing_of_the_machine_and_none_gives_up_nan() -> None:
    attempts = object_flags(_toolchain.Compiler((sys.executable, "-m", "ziglang", "cc"), "any"), "-O2")
    assert "-mcpu=native" in attempts[0]
    assert not any(flag.startswith("-m") for flag in attempts[-1])
    assert all("-ffast-math" not in flags for flags in attempts)
