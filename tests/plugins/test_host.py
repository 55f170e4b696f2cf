import re
import sys
import textwrap

import pytest

from seqpipe import hookspecs
from seqpipe.exceptions import PluginError, PluginWarning, UnknownNameError
from seqpipe.plugins import PluginHost, host
from seqpipe.plugins._host import host_for
from seqpipe.specs import CellSpec

PARAMETER = "The 'cell' parameter of SequenceClassifier"

OFFERS_A_CELL = """
    from seqpipe.hookspecs import hookimpl
    from seqpipe.specs import CellSpec

    @hookimpl
    def seqpipe_cells():
        return [CellSpec("tiny", dict, summary="a small cell")]
"""

OFFERS_A_TASK = """
    from seqpipe.hookspecs import hookimpl
    from seqpipe.specs import TaskSpec

    @hookimpl
    def seqpipe_tasks():
        yield TaskSpec("count", dict)
"""


OFFERS_AN_ENGINE = """
    from seqpipe.hookspecs import hookimpl
    from seqpipe.specs import EngineSpec

    @hookimpl
    def seqpipe_engines():
        return [EngineSpec("warp", dict, summary="faster than light")]
"""


def loaded(site):
    host = PluginHost(site.entry_points())
    host.load_all()
    return host


def left_out(site, reason):
    with pytest.warns(PluginWarning, match=reason):
        return loaded(site)


def statuses(host):
    return {status.distribution: status.status for status in host.statuses}


def test_the_builtins_are_found_through_the_same_hooks():
    host = PluginHost([])
    assert {"gru", "lstm", "mlp", "rnn"} <= set(host.names("cell"))
    assert {"c", "fused", "loop", "scan", "torch"} <= set(host.names("engine"))
    assert {"classify", "forecast", "regress"} <= set(host.names("task"))
    assert host.find("cell", "gru", parameter=PARAMETER).distribution == "seqpipe"
    assert host.statuses == []


def test_installed_distributions_are_loaded_by_default(site):
    site.install("acme-cells", OFFERS_A_CELL)
    assert "tiny" in PluginHost().names("cell")


def test_a_process_has_one_host():
    assert host() is host()


def test_a_loaded_plugin_is_listed_with_version_and_time(site):
    (status,) = loaded(site.install("acme-cells", OFFERS_A_CELL, names=["spark"])).statuses
    assert (status.name, status.distribution, status.version) == ("spark", "acme-cells", "1.2")
    assert (status.status, status.reason) == ("loaded", "")


def test_a_slow_import_is_timed(site):
    (status,) = loaded(
        site.install("slow", "import time\ntime.sleep(0.05)\n" + textwrap.dedent(OFFERS_A_CELL))
    ).statuses
    assert status.seconds >= 0.05


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("raise RuntimeError('half a licence')", "RuntimeError: half a licence"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("def (", "SyntaxError: "),
        ("SEQPIPE_API = 'one'", "PluginError: SEQPIPE_API must be an integer, such as 1. Got 'one' instead"),
    ],
)
def test_a_plugin_that_fails_at_import_leaves_the_others_working(site, source, reason):
    site.install("aaa-broken", source).install("bbb-good", OFFERS_A_CELL)
    host = left_out(site, f"The plug-in 'aaa-broken' was skipped: {re.escape(reason)}")
    assert statuses(host) == {"aaa-broken": "failed", "bbb-good": "loaded"}
    assert "tiny" in host.names("cell")


def test_a_failed_plugin_gives_one_warning(site, recwarn):
    loaded(site.install("aaa-broken", "raise RuntimeError('half a licence')"))
    assert [type(warning.message) for warning in recwarn] == [PluginWarning]


def test_what_a_plugin_prints_at_import_goes_to_stderr(site, capsys):
    loaded(site.install("acme-cells", "print('welcome to acme')\n" + textwrap.dedent(OFFERS_A_CELL)))
    printed = capsys.readouterr()
    assert "welcome to acme" in printed.err
    assert printed.out == ""


def test_ctrl_c_during_an_import_is_not_swallowed(site):
    site.install("stopped", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt) as stopped:
        loaded(site)
    assert stopped.value.__notes__ == ["The plug-in 'stopped' was being imported."]


def test_asking_for_a_name_of_a_failed_plugin_names_its_distribution(site):
    host = left_out(site.install("acme-cells", "raise RuntimeError('half a licence')"), "half a licence")
    with pytest.raises(UnknownNameError, match=r"could not be used: 'acme-cells' \(RuntimeError: half a licence\)"):
        host.find("cell", "tiny", parameter=PARAMETER)


def test_an_unknown_name_gets_the_choices_and_the_closest():
    host = PluginHost([])
    message = (
        f"The 'cell' parameter of SequenceClassifier must be one of {host.names('cell')}. "
        "Got 'lstmm' instead. Did you mean 'lstm'? Cells from plug-ins need their distribution installed; "
        '"seqpipe plugins" lists what is.'
    )
    with pytest.raises(UnknownNameError, match=f"^{re.escape(message)}$"):
        host.find("cell", "lstmm", parameter=PARAMETER)


@pytest.mark.parametrize("name", [None, 3, ["gru"], {}])
def test_a_name_that_is_no_text_is_unknown(name):
    with pytest.raises(UnknownNameError, match=re.escape(f"Got {name!r} instead.")):
        PluginHost([]).find("cell", name, parameter=PARAMETER)


def test_a_name_offered_by_two_distributions_is_usable_with_the_distribution(site):
    host = loaded(site.install("acme-cells", OFFERS_A_CELL).install("other-cells", OFFERS_A_CELL))
    with pytest.raises(
        PluginError,
        match=r"'tiny' is offered by 'acme-cells' and 'other-cells'\. Use 'acme-cells:tiny' or 'other-cells:tiny'",
    ):
        host.find("cell", "tiny", parameter=PARAMETER)
    assert len(host.offers("cell")["tiny"]) == 2
    for distribution in ("acme-cells", "other-cells"):
        assert host.find("cell", f"{distribution}:tiny", parameter=PARAMETER).distribution == distribution


def test_a_plugin_cannot_take_the_place_of_a_builtin(site):
    host = PluginHost(site.install("acme-cells", OFFERS_A_CELL.replace("tiny", "gru")).entry_points())
    with pytest.warns(PluginWarning, match=r"'acme-cells' offers the cell 'gru'.* the plug-in's is acme-cells:gru"):
        found = host.find("cell", "gru", parameter=PARAMETER)
    assert found.distribution == "seqpipe"
    assert host.find("cell", "acme-cells:gru", parameter=PARAMETER).distribution == "acme-cells"
    assert host.find("cell", "seqpipe:gru", parameter=PARAMETER).spec is found.spec
    with pytest.raises(UnknownNameError, match="Got 'acme-cells:lstm' instead"):
        host.find("cell", "acme-cells:lstm", parameter=PARAMETER)


# ---- records offered for some time


def test_a_record_is_offered_in_the_context_alone(site):
    host = PluginHost([])
    with host.offering("cell", CellSpec("tiny", dict), "acme-cells"):
        found = host.find("cell", "tiny", parameter=PARAMETER)
        assert (found.spec.factory, found.distribution) == (dict, "acme-cells")
        assert host.find("cell", "acme-cells:tiny", parameter=PARAMETER) is found
        assert "tiny" in host.names("cell")
        assert "gru" in host.names("cell")
    with pytest.raises(UnknownNameError, match="Got 'tiny' instead"):
        host.find("cell", "tiny", parameter=PARAMETER)
    assert "tiny" not in host.names("cell")


def test_a_record_offered_in_a_context_replaces_others_of_its_name(site):
    host = PluginHost(site.install("acme-cells", OFFERS_A_CELL).entry_points())
    for name, other in (("gru", "seqpipe"), ("tiny", "acme-cells")):
        before = host.find("cell", name, parameter=PARAMETER)
        with host.offering("cell", CellSpec(name, dict), "under-test"):
            assert host.find("cell", name, parameter=PARAMETER).distribution == "under-test"
            assert len(host.offers("cell")[name]) == 1
            assert host.find("cell", f"{other}:{name}", parameter=PARAMETER) == before
        assert host.find("cell", name, parameter=PARAMETER) == before


def test_contexts_may_be_nested_and_end_with_an_error():
    host = PluginHost([])
    with host.offering("cell", CellSpec("tiny", dict), "one"):
        with pytest.raises(KeyError), host.offering("cell", CellSpec("tiny", list), "other"):
            raise KeyError
        assert host.find("cell", "tiny", parameter=PARAMETER).distribution == "one"


def test_a_record_of_another_kind_is_not_offered():
    with (
        pytest.raises(TypeError, match="must be a TaskSpec for a task. Got CellSpec"),
        PluginHost([]).offering("task", CellSpec("tiny", dict), "acme-cells"),
    ):
        pass


# ---- what is imported, and when


IMPORTED = "import sys\nsys.modules[__name__ + '_imported'] = sys\n"


@pytest.fixture
def counting(site):
    """A site whose distributions record that they were imported."""
    site.install("acme-cells", IMPORTED + textwrap.dedent(OFFERS_A_CELL))
    site.install("acme-engines", IMPORTED + textwrap.dedent(OFFERS_AN_ENGINE))
    yield site
    for module in site.modules:
        sys.modules.pop(f"{module}_imported", None)


def imported(site):
    return {module for module in site.modules if f"{module}_imported" in sys.modules}


def test_nothing_is_imported_to_list_plugins(counting):
    host = PluginHost(counting.entry_points())
    names = {offer.name for _, source in host.sources for offers in source.names.values() for offer in offers}
    assert names == {"tiny", "warp"}
    assert statuses(host) == {"acme-cells": "installed", "acme-engines": "installed"}
    assert imported(counting) == set()


def test_the_name_of_a_builtin_imports_no_plugin(counting):
    PluginHost(counting.entry_points()).find("cell", "gru", parameter=PARAMETER)
    assert imported(counting) == set()


def test_only_the_plugin_that_offers_a_name_is_imported(counting):
    host = PluginHost(counting.entry_points())
    assert host.find("cell", "tiny", parameter=PARAMETER).distribution == "acme-cells"
    assert imported(counting) == {"throwaway_acme_cells"}
    assert statuses(host) == {"acme-cells": "loaded", "acme-engines": "installed"}


def test_only_the_distribution_in_front_of_a_name_is_imported(counting):
    PluginHost(counting.entry_points()).find("engine", "acme-engines:warp", parameter="The engine")
    assert imported(counting) == {"throwaway_acme_engines"}


def test_all_names_of_a_kind_import_only_the_plugins_with_its_hook(counting):
    assert "warp" in PluginHost(counting.entry_points()).names("engine")
    assert imported(counting) == {"throwaway_acme_engines"}


@pytest.mark.parametrize(
    "source",
    [
        OFFERS_A_CELL.replace('"tiny"', '"".join(["ti", "ny"])'),
        """
        from seqpipe import hookimpl as implementation
        from seqpipe.specs import CellSpec

        @implementation(specname="seqpipe_cells")
        def ours():
            return [CellSpec(name, dict) for name in ("small", "tiny")]
        """,
        """
        from seqpipe.hookspecs import hookimpl
        from seqpipe.specs import CellSpec

        def cells():
            return [CellSpec("tiny", dict)]

        globals()["seqpipe_" + "cells"] = hookimpl(cells)
        del cells
        """,
    ],
)
def test_a_name_that_the_source_does_not_say_is_found_all_the_same(site, source):
    host = PluginHost(site.install("acme-cells", source).entry_points())
    assert host.find("cell", "tiny", parameter=PARAMETER).distribution == "acme-cells"


def test_hooks_may_be_methods_of_an_object(site):
    source = """
    import seqpipe

    class Plugin:
        @seqpipe.hookimpl
        def seqpipe_cells(self):
            return [seqpipe.CellSpec("tiny", dict)]

    plugin = Plugin()
    """
    site.install("acme-cells", source, value="throwaway_acme_cells:plugin")
    assert PluginHost(site.entry_points()).find("cell", "tiny", parameter=PARAMETER).distribution == "acme-cells"


def test_a_plugin_may_ask_the_host_for_names_while_it_is_imported(site):
    asks = (
        OFFERS_AN_ENGINE
        + """
    from seqpipe.plugins import host
    assert host().find("cell", "tiny", parameter="The cell").distribution == "acme-cells"
    assert host().find("cell", "gru", parameter="The cell").is_builtin
    """
    )
    site.install("acme-asks", asks).install("acme-cells", OFFERS_A_CELL)
    host_for.cache_clear()
    try:
        assert host().find("engine", "warp", parameter="The engine").distribution == "acme-asks"
        assert host().find("cell", "tiny", parameter=PARAMETER).distribution == "acme-cells"
    finally:
        host_for.cache_clear()


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("SEQPIPE_PLUGINS", " acme-tasks ,", "SEQPIPE_PLUGINS does not list it"),
        ("SEQPIPE_DISABLE_PLUGINS", "acme-cells", "SEQPIPE_DISABLE_PLUGINS lists it"),
    ],
)
def test_the_environment_decides_which_distributions_are_imported(site, monkeypatch, variable, value, reason):
    site.install("acme-cells", "raise SystemExit('imported')").install("acme-tasks", OFFERS_A_TASK)
    monkeypatch.setenv(variable, value)
    host = loaded(site)
    assert statuses(host) == {"acme-cells": "disabled", "acme-tasks": "loaded"}
    assert host.statuses[0].reason == reason
    with pytest.raises(UnknownNameError, match=rf"'acme-cells' \({reason}\)"):
        host.find("cell", "tiny", parameter=PARAMETER)


def test_no_plugin_is_loaded_from_an_empty_list(site, monkeypatch):
    monkeypatch.setenv("SEQPIPE_PLUGINS", "")
    assert statuses(loaded(site.install("acme-cells", OFFERS_A_CELL))) == {"acme-cells": "disabled"}


@pytest.mark.parametrize("variable", ["SEQPIPE_PLUGINS", "SEQPIPE_DISABLE_PLUGINS"])
def test_a_listed_distribution_that_is_not_installed_is_told(site, monkeypatch, variable):
    monkeypatch.setenv(variable, "acme-cell")
    left_out(site.install("acme-cells", OFFERS_A_CELL), f"{variable} names 'acme-cell', .* Did you mean 'acme-cells'")


def test_entry_points_of_one_name_in_two_distributions_both_load(site):
    site.install("acme-cells", OFFERS_A_CELL).install("acme-tasks", OFFERS_A_TASK)
    assert statuses(loaded(site)) == {"acme-cells": "loaded", "acme-tasks": "loaded"}


def test_one_object_under_two_entry_points_is_used_once(site):
    host = left_out(
        site.install("acme-cells", OFFERS_A_CELL, names=["main", "again"]), "the same object is already registered as"
    )
    assert sorted(status.status for status in host.statuses) == ["failed", "loaded"]
    assert len(host.offers("cell")["tiny"]) == 1
    assert host.find("cell", "tiny", parameter=PARAMETER).distribution == "acme-cells"


def test_an_unknown_hook_argument_is_refused(site):
    source = OFFERS_A_CELL.replace("seqpipe_cells()", "seqpipe_cells(config)")
    host = left_out(site.install("acme-cells", source), r"Argument\(s\) \{'config'\} are declared in the hookimpl")
    assert "tiny" not in host.names("cell")


def test_an_unknown_hook_is_refused(site):
    source = OFFERS_A_CELL + OFFERS_A_TASK.replace("seqpipe_tasks", "seqpipe_taskss")
    host = left_out(site.install("acme-cells", source), "unknown hook 'seqpipe_taskss'")
    assert "tiny" not in host.names("cell")
    assert statuses(host) == {"acme-cells": "failed"}


def test_an_unknown_hook_does_not_fail_the_plugins_after_it(site):
    site.install("aaa-broken", OFFERS_A_TASK.replace("seqpipe_tasks", "seqpipe_taskss"))
    host = left_out(site.install("bbb-good", OFFERS_A_CELL), "unknown hook")
    assert statuses(host) == {"aaa-broken": "failed", "bbb-good": "loaded"}


@pytest.mark.parametrize(
    "failure",
    [
        "raise OSError('disk on fire')",
        "yield TaskSpec('count', dict); raise OSError('disk on fire')",
        "return [TaskSpec('count', dict), TaskSpec('Not A Name', dict)]",
        "return [TaskSpec('count', None)]",
        "return ['count']",
        "return TaskSpec",
        "return None",
        "return [TaskSpec('count', dict), TaskSpec('count', list)]",
    ],
)
def test_a_plugin_that_fails_half_way_is_rolled_back(site, failure):
    broken = f"""
    from seqpipe.specs import TaskSpec

    @hookimpl
    def seqpipe_tasks():
        {failure}
    """
    site.install("aaa-broken", OFFERS_A_CELL + broken).install("bbb-good", OFFERS_A_TASK)
    host = left_out(site, "'aaa-broken' was skipped")
    assert "tiny" not in host.names("cell")
    assert host.find("task", "count", parameter="The task").distribution == "bbb-good"
    assert statuses(host) == {"aaa-broken": "failed", "bbb-good": "loaded"}


def test_what_a_hook_must_return_is_said(site):
    source = OFFERS_A_TASK.replace('yield TaskSpec("count", dict)', 'return ["count"]')
    host = left_out(
        site.install("acme-words", source), "seqpipe_tasks must return TaskSpec records. Got 'count' instead"
    )
    assert statuses(host) == {"acme-words": "failed"}


def test_a_single_record_will_do(site):
    host = loaded(site.install("acme-tasks", OFFERS_A_TASK.replace("yield", "return")))
    assert "count" in host.names("task")


def test_a_plugin_for_a_newer_api_is_skipped_with_the_reason(site):
    source = f"SEQPIPE_API = {hookspecs.API_VERSION + 1}\n" + textwrap.dedent(OFFERS_A_CELL)
    host = left_out(
        site.install("acme-cells", source), "written for plug-in API 2, but this seqpipe has 1: upgrade seqpipe"
    )
    assert statuses(host) == {"acme-cells": "skipped"}
    assert "tiny" not in host.names("cell")


def test_a_plugin_for_this_api_is_loaded(site):
    source = f"SEQPIPE_API = {hookspecs.API_VERSION}\n" + textwrap.dedent(OFFERS_A_CELL)
    assert statuses(loaded(site.install("acme-cells", source))) == {"acme-cells": "loaded"}
