"""Threads take turns with torch's generators; a fork does not wait for threads of its parent."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FORK = """
import os, signal, threading
from seqpipe.recurrence import forked_generators

has, done = threading.Event(), threading.Event()

def draw():
    with forked_generators():
        has.set()
        done.wait()

thread = threading.Thread(target=draw)
if {elsewhere}:
    thread.start()
    has.wait()

def in_child():
    signal.alarm(30)
    with forked_generators():
        os.write(1, b"its turn")

if {elsewhere}:
    child = os.fork()
    if child == 0:
        in_child()
        os._exit(0)
else:
    with forked_generators():
        child = os.fork()
        if child == 0:
            in_child()
    if child == 0:
        os.write(1, b", given back")
        os._exit(0)
os.waitpid(child, 0)
done.set()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize(("elsewhere", "said"), [(True, "its turn"), (False, "its turn, given back")])
def test_a_fork_in_the_turn_of_a_thread_has_its_own(elsewhere: bool, said: str) -> None:
    script = FORK.format(elsewhere=elsewhere)
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == said
