"""The bench on which payloads are tried: see README.md."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for what the tests of this folder share

VICTIM = Path(__file__).with_name("victim.py")
#: Seconds without an answer after which a payload has hung its victim; the victim counts those of the processor.
PATIENCE = 60.0


@dataclass(frozen=True)
class Report:
    """What a payload came to."""

    outcome: str
    message: str = ""
    seconds: float = 0.0
    events: tuple[str, ...] = ()


class Victims:
    """Processes that try files, one after the other; the next one begins where one has died or hung."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def try_file(self, action: str, path: Path) -> Report:
        process = self._alive()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"action": action, "path": str(path)}) + "\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
        line = process.stdout.readline() if ready else ""
        if line:
            found = json.loads(line)
            return Report(found["outcome"], found["message"], found["seconds"], tuple(found["events"]))
        if not ready:
            self.end()
            return Report("hung")
        return Report("crashed", f"the process ended with {process.wait()}")

    def _alive(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            environment = {
                **os.environ,
                "PYTHONDONTWRITEBYTECODE": "1",
                "OMP_NUM_THREADS": "1",
                "SEQPIPE_ENGINE": "fused",
            }
            self._process = subprocess.Popen(
                [sys.executable, str(VICTIM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
            )
        return self._process

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()
            self._process = None


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that tries a payload, once, and returns its report and the files that appeared."""
    victims, reports = Victims(), {}

    def attack(
        name: str, action: str, make: Callable[[Any], Path], bench: Callable[[Path], Any]
    ) -> tuple[Report, set[str]]:
        if name not in reports:
            home = tmp_path_factory.mktemp("payload")
            made = bench(home / "attack")
            path = make(made)
            before = _files(home)
            report = victims.try_file(action, path)
            reports[name] = report, _files(home) - before
        return reports[name]

    yield attack
    victims.end()


def _files(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*")}


def check_harmless(report: Report, appeared: set[str], refused: str | None) -> None:
    """Assert that nothing was run, crashed, hung or written, and that a file was refused in our words."""
    assert report.outcome not in ("crashed", "hung"), report.message
    assert not report.events
    assert not appeared
    assert report.seconds < 10
    if refused is None:
        assert (report.outcome, report.message) == ("accepted", "")
    else:
        assert report.outcome == "refused", report.message
        assert re.search(refused, report.message), report.message


@pytest.fixture
def harmless() -> Callable[[Report, set[str], str | None], None]:
    """Return the check of a report."""
    return check_harmless
