"""What a name stands for, to be checked: all that a distribution offers, the classes of a module, or one of them."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seqpipe.cells import Cell
from seqpipe.exceptions import PluginError, did_you_mean
from seqpipe.plugins import KINDS, host
from seqpipe.recurrence.wrappers import Wrapper
from seqpipe.tasks import Task
from seqpipe.testing._engines import ENGINE_CELLS, check_engine
from seqpipe.testing._report import CheckReport, CheckResult, told
from seqpipe.testing._wrappers import check_wrapper
from seqpipe.testing.cells import check_cell
from seqpipe.testing.tasks import check_task, default_table

__all__ = ["CheckTarget", "targets_named"]

#: The base class of each kind that a module is searched for; a wrapper is a cell, too, and an engine needs no base class.
_BASES: dict[str, type] = {"wrapper": Wrapper, "cell": Cell, "task": Task}

#: The number of arguments that seqpipe calls a factory with, and the parameter of the check that takes further ones.
_CALLED: dict[str, tuple[int, str]] = {"cell": (2, "cell_params"), "wrapper": (1, "wrapper_params")}

#: Why objects of a kind are not checked by name.
_UNCHECKED = {"reader": "needs a sample file: use seqpipe.testing.check_reader"}


@dataclass(frozen=True)
class CheckTarget:
    """Something to be checked.

    Attributes
    ----------
    kind : str
        Such as "cell".
    name : str
        Its name in the distribution, or in the module.
    factory : callable
        What creates it.
    """

    kind: str
    name: str
    factory: Callable[..., Any]

    def check(self) -> CheckReport:
        """Return the report of its checks; of one skipped check if there are none, or they need more than a name."""
        if self.kind not in (*_BASES, "engine"):
            return self._skipped(_UNCHECKED.get(self.kind, "there are no checks of this kind"))
        if self.kind in _CALLED and (missing := self._missing()):
            return self._skipped(
                f"needs {', '.join(missing)}: use seqpipe.testing.check_{self.kind} with {_CALLED[self.kind][1]}="
            )
        return self._checked()

    def _checked(self) -> CheckReport:
        try:
            if self.kind == "cell":
                return check_cell(self.factory, raise_exceptions=False)
            if self.kind == "wrapper":
                return check_wrapper(self.factory, raise_exceptions=False)
            made = self.factory()
            return self._checked_engine(made) if self.kind == "engine" else self._checked_task(made)
        except Exception as error:  # what is under test may raise anything
            return self._report("failed", f"It fails before it is checked: {told(error)}.")

    def _checked_engine(self, engine: Any) -> CheckReport:
        refused = [engine.refuses(kind(3, 5)) for kind in ENGINE_CELLS]
        if all(isinstance(reason, str) and reason for reason in refused):
            reason = f"takes none of seqpipe's cells here ({refused[0]})"
            return self._skipped(f"{reason}: use seqpipe.testing.check_engine with cells=")
        return check_engine(engine, raise_exceptions=False)

    def _checked_task(self, task: Any) -> CheckReport:
        if default_table(task) is None:
            return self._skipped("needs data: use seqpipe.testing.check_task with a table and its roles, or data")
        return check_task(task, raise_exceptions=False)

    def _missing(self) -> list[str]:
        """Return the names of the arguments that have no default and that seqpipe does not give by itself."""
        try:
            parameters = [*inspect.signature(self.factory).parameters.values()]
        except (TypeError, ValueError):  # not every callable has a signature
            return []
        kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        further = parameters[_CALLED[self.kind][0] :]
        return [each.name for each in further if each.default is each.empty and each.kind not in kinds]

    def _skipped(self, reason: str) -> CheckReport:
        return self._report("skipped", reason)

    def _report(self, status: Any, message: str) -> CheckReport:
        result = CheckResult(f"check_{self.kind}", f"It passes the checks of a {self.kind}.", status, message)
        return CheckReport(f"{self.kind} {self.name}", (result,))


def targets_named(target: str) -> list[CheckTarget]:
    """Return what a name stands for.

    Parameters
    ----------
    target : str
        "distribution" or "distribution:name" of something that it offers, "module" or "module:Class".

    Raises
    ------
    PluginError
        If there is no such distribution or module, or it has nothing that can be checked.
    """
    module, _, name = target.partition(":")
    offered = _offered_by(module)
    if chosen := [each for each in offered if name in ("", each.name)]:
        return chosen
    if module in {status.distribution for status in host().statuses}:
        raise PluginError(_nothing_offered(module, name, offered))
    found = _defined_in(_imported(module, target), name)
    if not found:
        raise PluginError(
            f"{target!r} has nothing to check: {module} defines no {name or 'cell, wrapper, task or engine'}. Name a distribution "
            "that offers some, MODULE, or MODULE:CLASS."
        )
    return found


def _nothing_offered(distribution: str, name: str, offered: list[CheckTarget]) -> str:
    """Return why an installed distribution does not offer a name, or anything."""
    if offered:
        names = sorted(each.name for each in offered)
        return f"The distribution {distribution!r} offers no {name!r}.{did_you_mean(name, names)} It offers {', '.join(names)}."
    reasons = [status.reason for status in host().statuses if status.distribution == distribution and status.reason]
    return f"The distribution {distribution!r} offers nothing that can be used: {'; '.join(reasons) or 'no name'}."


def _offered_by(distribution: str) -> list[CheckTarget]:
    return [
        CheckTarget(kind, name, offer.spec.factory)
        for kind in KINDS
        for name, each in sorted(host().offers(kind).items())
        for offer in each
        if offer.distribution == distribution
    ]


def _imported(module: str, target: str) -> Any:
    try:
        return importlib.import_module(module)
    except Exception as error:  # a module under test may raise anything
        raise PluginError(
            f"{target!r} is neither an installed distribution with plug-ins nor a module that can be imported: "
            f"{type(error).__name__}: {error}.{did_you_mean(target, {s.distribution for s in host().statuses})}"
        ) from error


def _defined_in(module: Any, name: str) -> list[CheckTarget]:
    """Return the named object of a module, a cell if it is a function; or the classes that it defines."""
    if name:
        found = getattr(module, name, None)
        return [CheckTarget(_kind_of(found) or "cell", name, found)] if callable(found) else []
    return [
        CheckTarget(kind, key, value)
        for key, value in vars(module).items()
        if (kind := _kind_of(value)) and value.__module__ == module.__name__ and not inspect.isabstract(value)
    ]


def _kind_of(value: Any) -> str | None:
    if not isinstance(value, type):
        return None
    is_engine = callable(getattr(value, "refuses", None)) and callable(getattr(value, "run", None))
    return next((kind for kind, base in _BASES.items() if issubclass(value, base)), "engine" if is_engine else None)
