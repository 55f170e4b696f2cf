"""The way from a worker to the process that writes."""

import pickle
import subprocess
import sys

import pytest

from seqpipe.callbacks import IS_LIVE, open_channel


class Owner:
    pass


@pytest.mark.skipif(not IS_LIVE, reason="the stand-in for scikit-learn's transport stays in its process")
def test_a_message_arrives_from_another_process():
    got, owner = [], Owner()
    channel = open_channel(got.append, owner)
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).send({'step': 1}))"
    sent = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(channel), capture_output=True, check=True)
    assert sent.stdout.strip() == b"True"
    assert got == [{"step": 1}]


def test_a_message_arrives_in_the_same_process():
    got, owner = [], Owner()
    assert open_channel(got.append, owner).send(1)
    assert got == [1]


def test_nobody_listens_once_the_owner_is_gone():
    owner = Owner()
    channel = open_channel(print, owner)
    del owner
    assert not channel.send(1)
