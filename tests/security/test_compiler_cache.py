"""The cache of compiled cells: nothing that another user could have put there is loaded.

The name of each test is the sentence that it proves. Tests of damage and of races are in
`tests/recurrence/compiler/c/test_objects.py`.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from seqpipe.exceptions import CompilerError, SeqpipeWarning
from seqpipe.recurrence import _cache
from seqpipe.recurrence._trusted import distrust_of_folder, distrust_of_place
from seqpipe.recurrence.compiler.c._objects import Libraries
from seqpipe.recurrence.compiler.c._toolchain import find_compiler

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and permissions")
try:
    COMPILER = find_compiler()
except CompilerError:
    pytest.skip("needs a C compiler", allow_module_level=True)

LONG = os.environ.get("SEQPIPE_FAULTS", "0") not in ("", "0")
SOURCE = "int answer(void) { return 42; }"
EVIL = """
#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) void run(void) {{ fclose(fopen("{marker}", "w")); }}
int answer(void) {{ return 666; }}
"""
OTHER_USER = 65534


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder with two folders above it that a test may open to others."""
    monkeypatch.setenv("SEQPIPE_CACHE", str(tmp_path / "shared" / "mine"))
    monkeypatch.setattr(_cache._PROCESS, "told", set())
    monkeypatch.setattr(_cache._PROCESS, "private", None)
    return tmp_path / "shared" / "mine" / "compiler"


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "executed"


@pytest.fixture(scope="session")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], bytes]:
    """Compile an object that touches a file when it is loaded."""
    folder = tmp_path_factory.mktemp("evil")

    def make(marker: Path) -> bytes:
        (folder / "evil.c").write_text(EVIL.format(marker=marker))
        command = [*COMPILER.command, "-shared", "-fPIC", "-o", "evil.so", "evil.c"]
        subprocess.run(command, cwd=folder, check=True)
        return (folder / "evil.so").read_bytes()

    return make


def answer() -> int:
    """Load the source as in a new process."""
    return Libraries().load(SOURCE).answer()


def kept(cache: Path) -> Path:
    """Compile the source, and return the object in the cache."""
    assert answer() == 42
    [path] = cache.glob("*.so")
    return path


def replaced(path: Path, content: bytes, *, with_digest: bool, mode: int = 0o700) -> Path:
    """Put another object in the place of one, under its name or under the name that its own digest gives."""
    key = path.name.split(".")[0]
    path.unlink()  # libraries that are loaded stay as they are
    name = f"{key}.{_cache.digest_of(content)}{path.suffix}" if with_digest else path.name
    path = path.with_name(name)
    path.write_bytes(content)
    path.chmod(mode)
    return path


# ---- components of the path


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o707])
def test_a_cache_below_a_folder_that_others_write_to_is_not_used(mode: int, cache: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqpipe.recurrence._trusted._is_own_group", lambda gid: False)
    object_ = kept(cache)
    shared = cache.parents[1]
    shared.chmod(mode)
    with pytest.warns(SeqpipeWarning, match=rf"'{shared}': other users can write to it \(mode {mode:o}\).*chmod go-w"):
        assert answer() == 42
    with warnings.catch_warnings():  # it is told once
        warnings.simplefilter("error")
        assert answer() == 42
    assert [object_] == list(cache.glob("*.so"))


def test_an_evil_object_below_a_folder_that_others_write_to_is_not_loaded(
    cache: Path, marker: Path, evil: Callable[[Path], bytes]
) -> None:
    replaced(kept(cache), evil(marker), with_digest=True)
    cache.parents[1].chmod(0o777)
    with pytest.warns(SeqpipeWarning, match="other users can write to it"):
        assert answer() == 42
    assert not marker.exists()


def test_a_sticky_folder_on_the_way_is_fine(cache: Path) -> None:
    cache.parents[1].mkdir()
    cache.parents[1].chmod(0o1777)
    kept(cache)


def test_a_sticky_cache_is_not_used(cache: Path) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o1777)
    with pytest.warns(SeqpipeWarning, match=f"'{cache}': other users can write to it"):
        assert answer() == 42


as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to give files away")


@as_root
def test_a_cache_below_a_folder_of_another_user_is_not_used(cache: Path) -> None:
    kept(cache)
    os.chown(cache.parents[1], OTHER_USER, -1)
    with pytest.warns(SeqpipeWarning, match=f"'{cache.parents[1]}': it belongs to user {OTHER_USER}"):
        assert answer() == 42


@as_root
def test_a_cache_behind_a_link_of_another_user_is_not_used(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    cache.parents[1].symlink_to(tmp_path / "target")
    os.lchown(cache.parents[1], OTHER_USER, -1)
    with pytest.warns(SeqpipeWarning, match=f"'{cache.parents[1]}': it belongs to user {OTHER_USER}"):
        assert answer() == 42


@as_root
def test_an_object_of_another_user_is_not_loaded(cache: Path, marker: Path, evil: Callable[[Path], bytes]) -> None:
    os.chown(replaced(kept(cache), evil(marker), with_digest=True), OTHER_USER, -1)
    with pytest.warns(SeqpipeWarning, match=f"it belongs to user {OTHER_USER}"):
        assert answer() == 42
    assert not marker.exists()


@as_root
def test_folders_of_root_are_trusted_by_every_user(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.parents[1].mkdir()
    (cache.parents[1] / "mine").mkdir()
    os.chown(cache.parents[1] / "mine", OTHER_USER, -1)
    monkeypatch.setattr(os, "geteuid", lambda: OTHER_USER)
    assert distrust_of_place(cache.parents[1]) is None
    assert distrust_of_folder(cache.parents[1] / "mine") is None


def test_a_link_of_ours_into_a_folder_that_others_write_to_is_followed_and_refused(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "open" / "target").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    cache.parents[1].symlink_to(tmp_path / "open" / "target")
    with pytest.warns(SeqpipeWarning, match=f"'{tmp_path / 'open'}': other users can write to it"):
        assert answer() == 42


def test_the_way_up_from_a_link_is_that_of_its_target(tmp_path: Path) -> None:
    (tmp_path / "open" / "inner").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open" / "inner")
    found = distrust_of_place(tmp_path / "link" / ".." / "inner")
    assert found is not None
    assert found.component == tmp_path / "open"


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        distrust_of_place(tmp_path / "a" / "c")


def test_folders_are_made_for_this_user_only_whatever_the_umask_is(cache: Path) -> None:
    before = os.umask(0)
    try:
        kept(cache)
    finally:
        os.umask(before)
    assert {each.stat().st_mode & 0o777 for each in (cache, cache.parent, cache.parents[1])} == {0o700}


# ---- objects


def test_another_object_under_the_name_of_a_kept_one_is_not_loaded(
    cache: Path, marker: Path, evil: Callable[[Path], bytes]
) -> None:
    replaced(kept(cache), evil(marker), with_digest=False)
    with pytest.warns(SeqpipeWarning, match="is damaged"):
        assert answer() == 42
    assert not marker.exists()


def test_an_object_that_others_write_to_is_not_loaded(cache: Path, marker: Path, evil: Callable[[Path], bytes]) -> None:
    replaced(kept(cache), evil(marker), with_digest=True, mode=0o777)
    with pytest.warns(SeqpipeWarning, match=r"other users can write to it \(mode 777\)"):
        assert answer() == 42
    assert not marker.exists()


def test_a_link_in_the_place_of_an_object_is_not_followed(
    cache: Path, marker: Path, evil: Callable[[Path], bytes], tmp_path: Path
) -> None:
    path = replaced(kept(cache), evil(marker), with_digest=True)
    path.rename(tmp_path / "evil.so")
    path.symlink_to(tmp_path / "evil.so")
    with pytest.warns(SeqpipeWarning, match="it is a link, or not a regular file"):
        assert answer() == 42
    assert not marker.exists()


def test_a_pipe_in_the_place_of_an_object_does_not_hang(cache: Path) -> None:
    path = kept(cache)
    path.unlink()
    os.mkfifo(path, 0o700)
    with pytest.warns(SeqpipeWarning, match="it is a link, or not a regular file"):
        assert answer() == 42


def test_a_link_in_the_place_of_a_kernels_source_is_not_written_through(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("mine")
    path = _cache.keep_text("theirs", ".py")
    path.unlink()
    path.symlink_to(tmp_path / "mine.py")
    with pytest.warns(SeqpipeWarning, match="it is a link"):
        assert _cache.keep_text("theirs", ".py").read_text() == "theirs"
    assert (tmp_path / "mine.py").read_text() == "mine"


# ---- without a safe folder


def test_without_any_safe_folder_nothing_is_loaded_and_the_remedy_is_named(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    (tmp_path / "temporary").chmod(0o777)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    cache.parents[1].mkdir()
    cache.parents[1].chmod(0o777)
    with (
        pytest.warns(SeqpipeWarning, match="other users can write to it"),
        pytest.raises(CompilerError, match="no safe folder for compiled cells.*set TMPDIR or SEQPIPE_CACHE"),
    ):
        answer()


@pytest.mark.skipif(not LONG, reason="starts a process that imports torch")
def test_forked_workers_share_the_warning_and_compile_for_themselves(cache: Path) -> None:
    cache.parents[1].mkdir()
    cache.parents[1].chmod(0o777)
    script = (
        "import os\nfrom seqpipe.recurrence.compiler.c._objects import load\n"
        f"answers = [load({SOURCE!r}).answer()]\n"
        "for i in range(2):\n"
        "    child = os.fork()\n"
        f"    if child == 0: os._exit(load('int other(void) {{ return 7; }}').other())\n"
        "    answers.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "print(answers)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert ran.stdout == "[42, 7, 7]\n", ran.stderr
    assert ran.stderr.count("other users can write to it") == 1


def test_the_payloads_do_run_when_they_are_loaded(marker: Path, tmp_path: Path, evil: Callable[[Path], bytes]) -> None:
    (tmp_path / "evil.so").write_bytes(evil(marker))
    (tmp_path / "evil.so").chmod(0o700)
    assert ctypes.CDLL(str(tmp_path / "evil.so")).answer() == 666
    assert marker.exists()
