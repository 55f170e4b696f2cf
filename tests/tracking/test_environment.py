"""The environment of a run."""

import getpass

import numpy

from seqpipe.tracking._environment import environment_tags, installed_version


def test_outside_a_repository_no_commit_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "mlflow.source.git.commit" not in environment_tags()


def test_versions_and_machine_are_told():
    tags = environment_tags()
    assert tags["seqpipe.version.numpy"] == numpy.__version__
    assert int(tags["seqpipe.cpu.cores"]) >= 1
    assert tags["seqpipe.cpu.model"]
    assert tags["mlflow.user"] == getpass.getuser()


def test_a_distribution_that_is_not_installed_has_no_version():
    assert installed_version("no-such-distribution") is None
