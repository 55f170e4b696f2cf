"""Where a run came from."""

import getpass
import subprocess

import numpy
import pytest

from seqpipe.tracking._environment import environment_tags, installed_version


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def git(*arguments):
        identity = ["-c", "user.name=n", "-c", "user.email=e@x"]
        answer = subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True)
        return answer.stdout.strip()

    git("init", "-q")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-q", "-m", "first")
    return git


def test_the_commit_is_told_and_whether_files_differ_from_it(repository, tmp_path):
    assert environment_tags()["mlflow.source.git.commit"] == repository("rev-parse", "HEAD")
    assert environment_tags()["seqpipe.git.dirty"] == "false"
    (tmp_path / "file").write_text("two")
    assert environment_tags()["seqpipe.git.dirty"] == "true"


def test_outside_a_repository_or_without_git_no_commit_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "mlflow.source.git.commit" not in environment_tags()
    monkeypatch.setenv("PATH", "")
    assert "mlflow.source.git.commit" not in environment_tags()


def test_versions_and_machine_are_told():
    tags = environment_tags()
    assert tags["seqpipe.version.numpy"] == numpy.__version__
    assert int(tags["seqpipe.cpu.cores"]) >= 1
    assert tags["seqpipe.cpu.model"]
    assert tags["mlflow.user"] == getpass.getuser()


def test_a_distribution_that_is_not_installed_has_no_version():
    assert installed_version("no-such-distribution") is None
