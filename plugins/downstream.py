"""Run the tests of all plug-ins in catalogue.toml against this checkout, and record the results in results.json."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import tomllib
import venv
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "plugins" / "results.json"


def main() -> int:
    """Test every plug-in; return 1 if a test failed."""
    catalogue = tomllib.loads((ROOT / "plugins" / "catalogue.toml").read_text(encoding="utf-8"))["plugin"]
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    failed = False
    for plugin in catalogue:
        found = tested(plugin)
        print(f"{found['plugin']} {found['version']}: {found['passed']} passed, {found['failed']} failed", flush=True)
        failed |= found["failed"] > 0
        same = [(old["plugin"], old["seqpipe"]) == (found["plugin"], found["seqpipe"]) for old in results]
        results = [old for old, is_same in zip(results, same) if not is_same] + [found]
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return int(failed)


def tested(plugin: dict[str, Any]) -> dict[str, Any]:
    """Run the tests of one plug-in, and return how many passed and failed, with what."""
    python, arguments = (sys.executable, [plugin["path"]]) if "path" in plugin else installed(plugin)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *arguments]
        subprocess.run(command, cwd=ROOT, env=os.environ | {"SEQPIPE_SLOW": "1"}, check=False)
        suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    counts = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    failures = counts["failures"] + counts["errors"]
    return {
        "plugin": plugin["name"],
        "version": version_in(python, plugin["name"]),
        "seqpipe": version("seqpipe"),
        "python": platform.python_version(),
        "torch": version("torch").partition("+")[0],
        "passed": counts["tests"] - failures - counts["skipped"],
        "failed": failures,
        "skipped": counts["skipped"],
        "date": date.today().isoformat(),
    }


def installed(plugin: dict[str, Any]) -> tuple[str, list[str]]:
    """Install a published plug-in beside this checkout; return its interpreter, and the arguments of pytest."""
    folder = ROOT / ".venv" / "downstream" / plugin["name"]
    venv.create(folder, with_pip=True, clear=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([*install, "torch"], check=True)
    subprocess.run([*install, "--editable", str(ROOT), "pytest", plugin["requirement"]], check=True)
    return python, plugin["tests"]


def version_in(python: str, distribution: str) -> str:
    """Return the version of a distribution as an interpreter sees it."""
    code = f"from importlib.metadata import version; print(version({distribution!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
