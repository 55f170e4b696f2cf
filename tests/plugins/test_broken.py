"""Broken distributions: each is told with its name, and the others work."""

import re
import subprocess
import sys
import textwrap

import pytest

from seqpipe.exceptions import PluginWarning
from seqpipe.plugins import PluginHost

HEAD = """
import seqpipe
from seqpipe.specs import *
"""
CELLS = """
@seqpipe.hookimpl
def seqpipe_cells():
    {}
"""


def cells(body):
    return HEAD + CELLS.format(body)


#: Source, status, and reason of each broken plug-in.
BROKEN = {
    "needs a missing module": ("import no_such_module_anywhere", "failed", "No module named 'no_such_module_anywhere'"),
    "needs a missing name": ("from seqpipe import NoSuchCell", "failed", "cannot import name 'NoSuchCell'"),
    "raises": ("raise RuntimeError('half a licence')", "failed", "RuntimeError: half a licence"),
    "raises without a message": ("raise ValueError", "failed", "ValueError:"),
    "raises an exception group": ("raise ExceptionGroup('several', [ValueError(1)])", "failed", "several"),
    "exits": ("import sys; sys.exit(3)", "failed", "SystemExit: 3"),
    "exits at once": ("import os; os._exit(3)", "failed", "it calls os._exit(3) when it is imported"),
    "exits at once by a name": ("from os import _exit; _exit(4)", "failed", "it calls os._exit(4)"),
    "is no Python": ("def (", "failed", "SyntaxError: "),
    "is not UTF-8": ("x = '\udcff'", "failed", "SyntaxError: "),
    "recurses": ("def f(): f()\nf()", "failed", "RecursionError: "),
    "fails an assertion": ("assert False, 'never'", "failed", "AssertionError: never"),
    "runs out of memory": ("raise MemoryError", "failed", "MemoryError:"),
    "has a version that is no number": ("SEQPIPE_API = 'one'", "failed", "SEQPIPE_API must be an integer"),
    "is for a newer seqpipe": ("SEQPIPE_API = 99", "skipped", "written for plug-in API 99"),
    "is empty": ("", "empty", "it implements no hook"),
    "forgot the decorator": (
        cells("return []").replace("@seqpipe.hookimpl", ""),
        "empty",
        "seqpipe_cells() is not decorated",
    ),
    "implements an unknown hook": (
        cells("return []").replace("_cells", "_cels"),
        "failed",
        "unknown hook 'seqpipe_cels'",
    ),
    "asks for an unknown argument": (cells("return []").replace("()", "(config)"), "failed", "{'config'} are declared"),
    "returns nothing": (cells("pass"), "failed", "must return CellSpec records. Got None"),
    "returns names": (cells("return ['tiny']"), "failed", "must return CellSpec records. Got 'tiny'"),
    "returns a class": (cells("return CellSpec"), "failed", "must return CellSpec records"),
    "returns records of another kind": (
        cells("return [TaskSpec('tiny', dict)]"),
        "failed",
        "must return CellSpec records",
    ),
    "offers a name twice": (cells("return [CellSpec('a', dict), CellSpec('a', list)]"), "failed", "offers 'a' twice"),
    "offers an invalid name": (cells("return [CellSpec('Not A Name', dict)]"), "failed", "must consist of lower case"),
    "offers a name that is no text": (cells("return [CellSpec(3, dict)]"), "failed", "must consist of lower case"),
    "offers what cannot be called": (cells("return [CellSpec('a', 3)]"), "failed", "must be callable"),
    "fails in its hook": (cells("raise OSError('disk on fire')"), "failed", "OSError: disk on fire"),
    "fails half-way": (cells("yield CellSpec('a', dict); raise OSError('on fire')"), "failed", "OSError: on fire"),
    "exits in its hook": (cells("raise SystemExit(5)"), "failed", "SystemExit: 5"),
    "reads files without suffixes": (
        HEAD + "@seqpipe.hookimpl\ndef seqpipe_readers():\n    return [ReaderSpec('a', dict)]",
        "failed",
        "The 'suffixes' of ReaderSpec 'a' must be endings",
    ),
    "offers an engine named auto": (
        HEAD + "@seqpipe.hookimpl\ndef seqpipe_engines():\n    return [EngineSpec('auto', dict)]",
        "failed",
        "must not be 'auto'",
    ),
}

GOOD = cells("return [CellSpec('tiny', dict)]")


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_told_by_name_and_the_others_work(name, site):
    source, status, reason = BROKEN[name]
    site.install("aaa-broken", "").install("bbb-good", GOOD)
    (site.folder / "throwaway_aaa_broken.py").write_bytes(source.encode("utf-8", "surrogateescape"))
    host = PluginHost(site.entry_points())
    with pytest.warns(PluginWarning, match=f"^The plug-in 'aaa-broken' was skipped: .*{re.escape(reason)}") as told:
        host.load_all()
    assert sum("aaa-broken" in str(warning.message) for warning in told) == 1
    broken, good = host.statuses
    assert (broken.status, good.status) == (status, "loaded")
    assert reason in broken.reason
    assert host.find("cell", "tiny", parameter="The cell").distribution == "bbb-good"


@pytest.mark.parametrize(
    "name",
    ["is no Python", "is for a newer seqpipe", "is empty", "forgot the decorator", "implements an unknown hook"],
)
def test_what_the_source_says_is_told_without_an_import(name, site):
    source, status, reason = BROKEN[name]
    (told,) = PluginHost(site.install("aaa-broken", source).entry_points()).statuses
    assert told.status == status
    assert reason in told.reason


def test_a_module_that_is_not_there_is_told_without_an_import(site):
    (told,) = PluginHost(site.install("acme", "", value="no_such_module_anywhere").entry_points()).statuses
    assert (told.status, told.reason) == ("failed", "ModuleNotFoundError: No module named 'no_such_module_anywhere'")


def test_threads_and_children_of_a_plugin_may_exit_at_once(site):
    source = """
    import os, time
    child = os.fork()
    if child == 0:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    """
    host = PluginHost(site.install("acme-forks", textwrap.dedent(source) + textwrap.dedent(GOOD)).entry_points())
    host.load_all()
    assert host.statuses[0].status == "loaded"


def test_what_a_plugin_and_its_children_print_is_not_on_stdout(site, monkeypatch):
    source = "import os, subprocess\nos.write(1, b'from C')\nsubprocess.run(['echo', 'from a child'])\nprint('from Python')\n"
    site.install("acme-cells", source + textwrap.dedent(GOOD))
    code = "from seqpipe.plugins import host; host().load_all(); print(host().find('cell', 'tiny', parameter='').distribution)"
    monkeypatch.setenv("PYTHONPATH", str(site.folder))
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "acme-cells\n"
    assert all(text in ran.stderr for text in ("from C", "from a child", "from Python"))


def test_a_traceback_is_shown_if_asked_for(site, monkeypatch, capsys):
    monkeypatch.setenv("SEQPIPE_DEBUG", "1")
    with pytest.warns(PluginWarning, match="half a licence"):
        PluginHost(site.install("acme", "raise RuntimeError('half a licence')").entry_points()).load_all()
    assert "Traceback" in capsys.readouterr().err


def test_a_plugin_that_asks_for_its_own_name_while_it_is_imported_is_told(site, fresh_host):
    asks = "from seqpipe.plugins import host\nhost().find('cell', 'own', parameter='The cell')"
    site.install("aaa-broken", HEAD + asks + CELLS.format("return [CellSpec('own', dict)]")).install("bbb-good", GOOD)
    with pytest.warns(PluginWarning, match="'aaa-broken' was skipped: UnknownNameError: The cell must be one of"):
        fresh_host().load_all()
    assert fresh_host().find("cell", "tiny", parameter="The cell").distribution == "bbb-good"
