"""What docs/engine.md shows is what happens."""

import io
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import torch

from seqpipe.exceptions import CompilerError
from seqpipe.recurrence import Recurrent
from seqpipe.recurrence.compiler.c import _c_program
from seqpipe.recurrence.compiler.c._toolchain import find_compiler
from seqpipe.recurrence.compiler.program import Input, schedule
from seqpipe.recurrence.compiler.trace import Node, nodes_in, trace_step
from seqpipe.recurrence.compiler.triton._triton_program import TritonProgram

PAGE = Path(__file__).parents[1] / "docs" / "engine.md"
#: (language, content) of each code block, in order.
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def run(block: str, names: dict[str, Any]) -> str:
    """Run a Python block as the file that its first line names, and return what it prints."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(block, block.splitlines()[0].removeprefix("# "), "exec"), names)
    return printed.getvalue()


def mgu() -> tuple[str, Any]:
    """Return the block with the example cell, and a new instance of the cell."""
    block = next(content for language, content in BLOCKS if content.startswith("# mgu.py"))
    names: dict[str, Any] = {"__name__": "mgu"}
    run(block, names)
    return block, names["MGUCell"](3, 16)


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A C compiler and an empty cache, chosen by themselves."""
    monkeypatch.delenv("SEQPIPE_ENGINE", raising=False)
    monkeypatch.delenv("SEQPIPE_CC", raising=False)
    monkeypatch.setenv("SEQPIPE_CACHE", str(tmp_path))
    try:
        find_compiler()
    except CompilerError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("compiler")
def test_the_python_of_the_page_prints_what_it_says() -> None:
    names: dict[str, Any] = {"__name__": "page"}
    for (language, content), (following, output) in zip(BLOCKS, [*BLOCKS[1:], ("", "")]):
        if language == "python":
            printed = run(content, names)
            assert following != "text" or printed == output


@pytest.mark.usefixtures("compiler")
def test_the_environment_variables_do_what_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    block, _ = mgu()
    [console] = [content for language, content in BLOCKS if language == "console"]
    shown = re.findall(r"^\$ (\w+)=(\S+) python mgu\.py\n((?:[^$].*\n)+)", console, flags=re.MULTILINE)
    assert len(shown) == console.count("$ ") == 3
    for variable, value, output in shown:
        with monkeypatch.context() as environment:
            environment.setenv(variable, value)
            assert run(block, {"__name__": "mgu"}) == output


def native(monkeypatch: pytest.MonkeyPatch) -> _c_program.CProgram:
    """Plan the worked cell for the vectors that the page shows; nothing is compiled."""
    monkeypatch.setattr(_c_program, "vector_unit", lambda: (64, 32))
    _, cell = mgu()
    wanted = tuple(p.requires_grad for p in cell.parameters())
    return _c_program.CProgram(cell, torch.float32, input_grad=True, parameter_grads=wanted)


@pytest.mark.usefixtures("compiler")
def test_the_c_of_the_page_is_what_the_engine_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    made = native(monkeypatch).source
    shown = [content for language, content in BLOCKS if language == "c"]
    assert len(shown) == 2
    for line in "".join(shown).splitlines():
        for fragment in filter(None, (part.strip() for part in line.split("…"))):
            assert fragment in made, fragment


def test_the_triton_of_the_page_is_what_the_engine_makes() -> None:
    _, cell = mgu()
    made = TritonProgram(cell, torch.float32, input_grad=True, parameter_grads=(True,) * 4).source
    shown = [content for language, content in BLOCKS if language == "triton"]
    assert len(shown) == 2
    for block in shown:
        for part in block.split("…\n"):
            assert part in made, part


def test_the_loop_of_the_page_is_what_torch_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQPIPE_ENGINE", "torch")
    [shown] = [content for language, content in BLOCKS if language == "py"]
    [choice] = Recurrent(mgu()[1]).explain(code=True)
    assert choice.engine == "torch"
    assert choice.code.startswith(f"{shown}\n")


@pytest.mark.usefixtures("compiler")
def test_the_stages_what_is_kept_and_the_sums_are_as_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    program = native(monkeypatch)
    [after], kept = program.program.new_states, program.layout.kept
    assert [getattr(atom, "op", None) for atom in kept] == ["sigmoid", "tanh"]
    assert program.layout.kept_width == 32
    assert len(program.layout.sums) == 6
    assert len(schedule([*after, *kept], lambda atom: isinstance(atom, Input))) == n_stages("1   f = ") == 2
    _, _, backward = program.source.split("int run(")
    assert 1 + backward.count("V z[") == n_stages("1   g ") == 4  # the first has no product


def n_stages(start: str) -> int:
    """Count the stages in the block of the page that starts so."""
    [stages] = [content for _, content in BLOCKS if content.startswith(start)]
    return len(stages.splitlines())


@pytest.mark.usefixtures("compiler")
def test_the_trace_of_the_page_is_what_the_step_calls() -> None:
    block, cell = mgu()
    [shown] = [content for language, content in BLOCKS if content.startswith("return self.input(x)")]
    trace = trace_step(cell, input_grad=True, parameter_grads=(True,) * 4)
    found: dict[str, list[str]] = {line: [] for line in re.findall(r"^(\S.*?)  ", shown, flags=re.MULTILINE)}
    for node in in_order(trace.output):
        if "mgu.py:" in node.line:
            line = block.splitlines()[int(node.line.rpartition(":")[2]) - 1].strip()
            found[line].append(node.op.overloadpacket.__name__)
    assert [f"{line:<44}  {' '.join(ops)}" for line, ops in found.items()] == shown.splitlines()


def in_order(node: Node, done: dict[Node, None] | None = None) -> list[Node]:
    """Return a node after all that it was made from."""
    done = {} if done is None else done
    for argument in nodes_in((node.args, node.kwargs)):
        if argument not in done:
            in_order(argument, done)
    done[node] = None
    return list(done)
