"""docs/new-cell.md: its Python prints what the page says, and its commands and files make a package."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
#: Language, file name or nothing, and content of each block.
BLOCKS = re.findall(
    r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$",
    (ROOT / "docs" / "new-cell.md").read_text(encoding="utf-8"),
    flags=re.DOTALL | re.MULTILINE,
)
#: The commands of the page, without a network and at a tiny size.
COMMANDS = """
set -e
export PYTHONPATH="src:$SITE:$ROOT"
pip() { "$PYTHON" -m pip install --quiet --no-deps --no-build-isolation --no-index --target "$SITE" .; }
pytest() { "$PYTHON" -m pytest -q -p no:cacheprovider "$@"; }
python() { "$PYTHON" "$@" --no-isolation; }
seqpipe() {
    if [ "$1" = run ]; then set -- "$@" --set task.classify.max_epochs=1 --set evaluate.test_size=0.8; fi
    "$PYTHON" -m seqpipe "$@"
}
"""


@pytest.mark.usefixtures("compiled")
def test_the_python_of_the_page_prints_what_it_says() -> None:
    names: dict[str, Any] = {"__name__": "page"}
    ran = 0
    for (language, file, content), (following, _, output) in pairwise([*BLOCKS, ("", "", "")]):
        if language == "python" and not file:
            printed = io.StringIO()
            with redirect_stdout(printed):
                exec(compile(content, "docs/new-cell.md", "exec"), names)
            assert printed.getvalue() == (output if following == "text" else "")
            ran += 1
    assert ran == 6


@pytest.mark.slow  # `make downstream` runs it too
def test_the_commands_and_files_of_the_page_make_a_package(own_folder: Path) -> None:
    script = [COMMANDS]
    for language, file, content in BLOCKS:
        if language == "sh":
            script.append(content)
        elif file:
            script.append(f"cat > {file} <<'END_OF_FILE'\n{content}END_OF_FILE\n")
    (own_folder / "page.sh").write_text("\n".join(script), encoding="utf-8")
    environment = os.environ | {"SITE": str(own_folder / "site"), "ROOT": str(ROOT), "PYTHON": sys.executable}
    ran = subprocess.run(["bash", "page.sh"], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "AdaptiveLeakCell: 37 passed, 0 failed" in ran.stdout
    assert "leaks at a rate" in ran.stdout
    assert re.search(r"│ adaptive_leak +│ cell +│ acme-leaks", ran.stdout)
    assert "picture: example-compared.png" in ran.stdout
    assert len(list((own_folder / "acme-leaks" / "dist").iterdir())) == 2
