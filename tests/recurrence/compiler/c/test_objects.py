"""Shared objects: their results, and that a damaged cache does no harm."""

import ctypes
import multiprocessing
import os
import shlex
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from seqpipe.exceptions import CompilerError, SeqpipeWarning
from seqpipe.recurrence import _cache
from seqpipe.recurrence.compiler.c import _objects
from seqpipe.recurrence.compiler.c._objects import LIBRARIES, Libraries
from seqpipe.recurrence.compiler.c._toolchain import find_compiler

try:
    COMPILER = find_compiler()
except CompilerError:
    pytest.skip("needs a C compiler", allow_module_level=True)

SOURCE = """
#include <math.h>
void scale(long n, float a, const float *x, float *y) { for (long i = 0; i < n; i++) y[i] = a * tanhf(x[i]); }
int answer(void) { return 42; }
"""


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Use a temporary cache, and clear the loaded libraries."""
    monkeypatch.setenv("SEQPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(_cache._PROCESS, "told", set())
    return tmp_path / "cache" / "compiler"


def load(source: str) -> ctypes.CDLL:
    """Load it as in a new process."""
    return Libraries().load(source)


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file with one line per compiler call."""
    wrapper, log = tmp_path / "counting-cc", tmp_path / "log"
    log.touch()
    note = f'[ "$1" = --version ] || echo once >> {shlex.quote(str(log))}'
    wrapper.write_text(f'#!/bin/sh\n{note}\nexec {shlex.join(COMPILER.command)} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    monkeypatch.setenv("SEQPIPE_CC", shlex.quote(str(wrapper)))
    return log


def kept(cache: Path) -> list[Path]:
    return sorted(cache.glob(f"*{_objects._SUFFIX}"))


def count(log: Path) -> int:
    return len(log.read_text(encoding="utf-8").splitlines())


def test_a_float_kernel_computes_and_keeps_nan() -> None:
    x, y = (ctypes.c_float * 3)(0.0, 1.0, float("nan")), (ctypes.c_float * 3)()
    load(SOURCE).scale(ctypes.c_long(3), ctypes.c_float(2.0), x, y)
    assert list(y)[:2] == pytest.approx([0.0, 1.5231884])
    assert y[2] != y[2]


def test_the_same_source_gives_the_same_library_to_every_thread(compilations: Path) -> None:
    loaded = Libraries()
    with ThreadPoolExecutor(4) as threads:
        libraries = set(threads.map(loaded.load, [SOURCE] * 8))
    assert len(libraries) == 1
    assert count(compilations) == 1


def test_a_kept_object_is_loaded_without_the_compiler(cache: Path, compilations: Path) -> None:
    load(SOURCE)
    assert load(SOURCE).answer() == 42
    assert count(compilations) == 1
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


def test_other_flags_make_another_object(cache: Path) -> None:
    load(SOURCE)
    Libraries().load(SOURCE, optimization="-O1")
    assert len(kept(cache)) == 2


RACE = """
import multiprocessing
from seqpipe.recurrence.compiler.c._objects import load

def race(source, start, answers):
    start.wait()
    answers.put(load(source).answer())

context = multiprocessing.get_context("fork")
start, answers = context.Barrier(8), context.Queue()
for _ in range(8):
    context.Process(target=race, args=(SOURCE, start, answers), daemon=True).start()
print([answers.get(timeout=60) for _ in range(8)])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to start at once what imports slowly")
def test_eight_processes_compile_the_same_source_at_once(cache: Path) -> None:
    script = RACE.replace("SOURCE", repr(SOURCE))
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.stdout == f"{[42] * 8}\n", ran.stderr
    assert len(kept(cache)) == 1
    assert not list(cache.glob("build-*"))


@pytest.mark.parametrize("damage", [lambda content: content[:3000], lambda content: b"", lambda content: content[::-1]])
def test_a_damaged_object_is_built_again_with_one_warning(cache: Path, compilations, damage) -> None:
    load(SOURCE)
    [path] = kept(cache)
    damaged = damage(path.read_bytes())
    path.unlink()  # loaded libraries are unchanged
    path.write_bytes(damaged)
    path.chmod(0o700)
    with pytest.warns(SeqpipeWarning, match="is damaged: it, and others like it, are compiled again"):
        assert load(SOURCE).answer() == 42
    assert count(compilations) == 2
    [path] = kept(cache)
    path.unlink()
    path.write_bytes(damaged)
    path.chmod(0o700)
    assert load(SOURCE).answer() == 42


def test_a_folder_that_others_may_write_is_not_used(cache: Path) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    with pytest.warns(SeqpipeWarning, match="other users can write to it"):
        assert load(SOURCE).answer() == 42
    assert not kept(cache)


def test_a_folder_of_another_user_is_not_used(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    cache.mkdir(mode=0o700, parents=True)
    monkeypatch.setattr(os, "geteuid", lambda: cache.stat().st_uid + 1)
    with pytest.warns(SeqpipeWarning, match="it belongs to user"):
        assert load(SOURCE).answer() == 42
    assert not kept(cache)


def test_an_object_that_others_may_write_is_not_loaded(cache: Path) -> None:
    load(SOURCE)
    kept(cache)[0].chmod(0o777)
    with pytest.warns(SeqpipeWarning, match="other users can write to it"):
        assert load(SOURCE).answer() == 42


def test_without_a_home_that_can_be_written_a_private_folder_ends_with_the_process(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "temporary").mkdir()
    environment = {**os.environ, "SEQPIPE_CACHE": str(tmp_path / "file"), "TMPDIR": str(tmp_path / "temporary")}
    script = (
        "import os; from seqpipe.recurrence.compiler.c._objects import load\n"
        f"print(load({SOURCE!r}).answer(), len(os.listdir(os.environ['TMPDIR'])))"
    )
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout == "42 1\n"
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_during_a_compilation_does_not_wait_for_its_parent() -> None:
    with LIBRARIES.lock, _cache._PROCESS.lock:
        child = multiprocessing.get_context("fork").Process(target=LIBRARIES.load, args=(SOURCE,))
        child.start()
    child.join(60)
    assert child.exitcode == 0


def test_a_refused_source_raises_with_the_compilers_last_words(cache: Path) -> None:
    with pytest.raises(CompilerError, match=r"(?s)failed\. Its last output:.*nonsense"):
        load("int broken(void) { return nonsense; }")
    assert not kept(cache)
    assert not list(cache.glob("build-*"))


def test_objects_that_nobody_used_for_long_go_when_one_is_built(cache: Path) -> None:
    load(SOURCE)
    [old] = kept(cache)
    (cache / "build-killed").mkdir()
    long_ago = time.time() - 91 * 24 * 3600
    for path in (old, cache / "build-killed"):
        os.utime(path, (long_ago, long_ago))
    load("int other(void) { return 1; }")
    assert len(kept(cache)) == 1
    assert old not in kept(cache)
    assert not (cache / "build-killed").exists()


def test_loading_an_object_marks_it_as_used(cache: Path) -> None:
    load(SOURCE)
    os.utime(kept(cache)[0], (0, 0))
    load(SOURCE)
    assert kept(cache)[0].stat().st_mtime > 0


def test_a_text_is_kept_once_and_mended_where_it_was_damaged(cache: Path) -> None:
    path = _cache.keep_text("one", ".py")
    assert path.parent == cache
    assert _cache.keep_text("one", ".py") == path != _cache.keep_text("two", ".py")
    path.write_text("evil")
    assert _cache.keep_text("one", ".py").read_text() == "one"
    assert path.stat().st_mode & 0o77 == 0


@pytest.mark.skipif(os.name != "posix", reason="permissions")
def test_a_text_that_others_may_write_is_not_used(cache: Path) -> None:
    path = _cache.keep_text("one", ".py")
    path.chmod(0o666)
    with pytest.warns(SeqpipeWarning, match=r"other users can write to it \(mode 666\).*chmod go-w"):
        other = _cache.keep_text("one", ".py")
    assert other.parent != cache
    assert other.read_text() == "one"


def test_the_users_cache_folder_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SEQPIPE_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _cache._user_cache() == tmp_path / "seqpipe"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert _cache._user_cache() == Path.home() / ".cache" / "seqpipe"
