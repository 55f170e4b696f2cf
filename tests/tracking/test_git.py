"""The commit of a folder's repository, read without running anything."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seqpipe.tracking._environment import environment_tags
from seqpipe.tracking._git import Repository
from seqpipe.tracking._git_index import state_of

Git = Callable[..., str]


def git_in(folder: Path) -> Git:
    def git(*arguments: str) -> str:
        settings = ["-c", "user.name=n", "-c", "user.email=e@x", "-c", "protocol.file.allow=always"]
        command = ["git", "-C", str(folder), *settings, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    return git


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """A repository of one commit in the working folder."""
    folder = tmp_path / "what? 50%20off ü"
    folder.mkdir()
    monkeypatch.chdir(folder)
    git = git_in(folder)
    git("init", "-q", "-b", "main")
    Path("file").write_text("one")
    Path("folder").mkdir()
    Path("folder", "a b.csv").write_text("a,b\n")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    return git


def recorded() -> tuple[str | None, str | None]:
    tags = environment_tags()
    return tags.get("mlflow.source.git.commit"), tags.get("seqpipe.git.dirty")


def by_git(git: Git) -> tuple[str, str]:
    dirty = git("status", "--porcelain", "--untracked-files=no") != ""
    return git("rev-parse", "HEAD"), str(dirty).lower()


def test_the_commit_is_told_and_whether_files_differ_from_it(git: Git):
    assert recorded() == (git("rev-parse", "HEAD"), "false")
    Path("file").write_text("two")
    assert recorded() == (git("rev-parse", "HEAD"), "true")


def detached(git: Git) -> None:
    git("checkout", "-q", "--detach")


def on_a_branch(git: Git) -> None:
    git("checkout", "-q", "-b", "feature/of-mine")


def packed(git: Git) -> None:
    git("gc", "-q")


def staged(git: Git) -> None:
    Path("new").touch()
    git("add", "new")


def staged_and_undone(git: Git) -> None:
    git("rm", "-q", "--cached", "file")
    git("add", "file")


def deleted(git: Git) -> None:
    Path("folder", "a b.csv").unlink()


def touched(git: Git) -> None:
    os.utime("file", (1, 1))


def same_size_at_the_same_time(git: Git) -> None:
    before = Path("file").stat()
    Path("file").write_text("eno")
    os.utime("file", ns=(before.st_atime_ns, before.st_mtime_ns))


def compressed_index(git: Git) -> None:
    git("update-index", "--index-version", "4")


def skipped(git: Git) -> None:
    git("update-index", "--skip-worktree", "file")
    Path("file").unlink()


def intended(git: Git) -> None:
    Path("new").touch()
    git("add", "-N", "new")


def linked(git: Git) -> None:
    Path("link").symlink_to("nowhere")
    git("add", "-A")
    git("commit", "-q", "-m", "a link")


def untracked(git: Git) -> None:
    Path("note").touch()


@pytest.mark.parametrize(
    "change",
    [
        compressed_index,
        deleted,
        detached,
        intended,
        linked,
        on_a_branch,
        packed,
        same_size_at_the_same_time,
        skipped,
        staged,
        staged_and_undone,
        touched,
        untracked,
    ],
)
def test_commit_and_state_are_those_that_git_tells(change: Callable[[Git], None], git: Git):
    change(git)
    found = recorded()
    assert found == by_git(git)


def test_a_folder_inside_a_repository_belongs_to_it(git: Git, monkeypatch: pytest.MonkeyPatch):
    commit = git("rev-parse", "HEAD")
    monkeypatch.chdir("folder")
    assert recorded() == (commit, "false")


def test_another_working_tree_has_a_commit_of_its_own(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    git("worktree", "add", "-q", "--detach", str(tmp_path / "other"))
    other = git_in(tmp_path / "other")
    other("commit", "-q", "--allow-empty", "-m", "second")
    monkeypatch.chdir(tmp_path / "other")
    found = recorded()
    assert found == by_git(other)
    assert found[0] != git("rev-parse", "HEAD")


def test_a_submodule_at_another_commit_is_a_difference(git: Git, tmp_path: Path):
    git("clone", "-q", ".", str(tmp_path / "library"))
    git("submodule", "add", "-q", str(tmp_path / "library"), "library")
    git("commit", "-q", "-m", "with a library")
    assert recorded() == by_git(git) == (git("rev-parse", "HEAD"), "false")
    git_in(Path("library").absolute())("commit", "-q", "--allow-empty", "-m", "second")
    found = recorded()
    assert found == by_git(git)
    assert found[1] == "true"


def test_line_ends_that_git_converts_are_no_difference(git: Git):
    git("config", "core.autocrlf", "true")
    Path("folder", "a b.csv").write_bytes(b"a,b\r\n")
    assert recorded()[1] == "false"


def test_where_only_a_filter_could_tell_the_state_is_unknown(git: Git):
    Path(".gitattributes").write_text("*.csv filter=f\n")
    Path("folder", "a b.csv").write_text("other")
    assert recorded()[1] == "unknown"


def test_without_a_commit_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    git_in(tmp_path)("init", "-q")
    monkeypatch.chdir(tmp_path)
    assert recorded() == (None, None)


# ---- malicious repositories


@pytest.fixture
def marker(git: Git, tmp_path: Path) -> Iterator[Path]:
    """A file that must not exist at the end, although commands in the repository's settings create it."""
    marker = tmp_path / "ran"
    script = tmp_path / "run"
    script.write_text(f"#!/bin/sh\ntouch {marker}\nexit 1\n")
    script.chmod(0o755)
    for name in ("core.fsmonitor", "filter.f.clean", "filter.f.process", "core.pager", "core.sshCommand"):
        git("config", name, str(script))
    for alias in ("status", "rev-parse"):
        git("config", f"alias.{alias}", f"!{script}")
    (tmp_path / "included").write_text(f"[core]\n\tfsmonitor = {script}\n\thooksPath = {tmp_path}\n")
    git("config", "include.path", str(tmp_path / "included"))
    Path(".git", "hooks").mkdir(exist_ok=True)
    for hook in ("post-index-change", "post-checkout", "fsmonitor-watchman"):
        Path(".git", "hooks", hook).write_bytes(script.read_bytes())
        Path(".git", "hooks", hook).chmod(0o755)
    Path(".gitattributes").write_text("* filter=f\n")
    os.utime("file", (1, 1))
    yield marker
    assert not marker.exists()


def test_nothing_that_a_repository_configures_runs(git: Git, marker: Path):
    assert recorded()[1] == "false"


def test_nothing_of_it_runs_in_a_fit_that_logs_a_model(net, data, git: Git, marker: Path, make_tracker, client):
    from sklearn.linear_model import LogisticRegression

    tracker = make_tracker(log_model=True)
    LogisticRegression().set_callbacks(tracker).fit(*data)
    assert len(client.get_run(tracker.run_id_).data.tags["mlflow.source.git.commit"]) == 40


def test_git_itself_is_not_called(git: Git, tmp_path: Path, data, make_tracker, monkeypatch: pytest.MonkeyPatch):
    from sklearn.linear_model import LogisticRegression

    called = tmp_path / "programs" / "called"
    called.parent.mkdir()
    (called.parent / "git").write_text(f"#!/bin/sh\necho $@ >> {called}\n")
    (called.parent / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(called.parent), prepend=os.pathsep)
    LogisticRegression().set_callbacks(make_tracker(log_model=True)).fit(*data)
    assert not called.exists()


def test_a_git_file_that_points_elsewhere_is_only_read(git: Git, marker: Path, tmp_path: Path, monkeypatch):
    commit = git("rev-parse", "HEAD")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".git").write_text(f"gitdir: {Path.cwd() / '.git'}\n")
    monkeypatch.chdir(elsewhere)
    assert recorded() == (commit, "true")  # none of its files exists


@pytest.mark.parametrize(
    "head",
    [
        "ref: ../../outside",
        "ref: refs/../../outside",
        "ref: /etc/hostname",
        "ref: refs/heads/\0",
        "ref: refs/heads/main\nx",
        "--help",
        "",
        "0" * 5000,
    ],
)
def test_a_head_that_names_no_reference_has_no_commit(head: str, git: Git):
    Path(".git", "HEAD").write_text(head)
    assert recorded() == (None, None)


def test_references_that_name_each_other_end(git: Git):
    Path(".git", "refs", "heads", "main").write_text("ref: refs/heads/main\n")
    assert recorded() == (None, None)


@pytest.mark.parametrize("name", ["HEAD", "index"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(name: str, git: Git):
    Path(".git", name).unlink()
    os.mkfifo(Path(".git", name))
    assert recorded()[1] in (None, "unknown")


@pytest.mark.parametrize("cut", [4, 11, 40, 90, -30])
def test_an_index_that_is_cut_off_leaves_the_state_unknown(cut: int, git: Git):
    content = Path(".git", "index").read_bytes()
    Path(".git", "index").write_bytes(content[:cut])
    found = Repository.of(Path.cwd())
    assert found is not None
    assert state_of(found, git("rev-parse", "HEAD")) in ("unknown", "clean")


def test_an_index_does_not_lead_out_of_its_folder(git: Git, tmp_path: Path):
    (tmp_path / "secret").write_text("s")
    git("update-index", "--add", "--cacheinfo", f"100644,{git('hash-object', '-w', 'file')},aa/aaaaaa")
    git("commit", "-q", "-m", "second")
    index = Path(".git", "index")
    index.write_bytes(index.read_bytes().replace(b"aa/aaaaaa", b"../secret"))
    assert recorded()[1] == "true"  # its tree is not that of the commit; no path is read
