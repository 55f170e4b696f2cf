"""The plug-in host: loads each distribution in isolation, records its status, and looks up names.

A plug-in is an entry point of the group ``seqpipe`` whose object implements hooks of
:mod:`seqpipe.hookspecs`. A plug-in that raises any exception is skipped entirely, with one warning; the others
are loaded. It may declare the API version it was written for as ``SEQPIPE_API = 1``. The environment variables SEQPIPE_PLUGINS
and SEQPIPE_DISABLE_PLUGINS list the distributions to load, and those not to load.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

import pluggy

from seqpipe import hookspecs
from seqpipe.exceptions import PluginError, PluginWarning, UnknownNameError, did_you_mean
from seqpipe.specs import CellSpec, EngineSpec, TaskSpec

__all__ = ["ENTRY_POINT_GROUP", "PluginHost", "PluginStatus", "Registered", "host"]

ENTRY_POINT_GROUP = "seqpipe"
_BUILTINS = "seqpipe.builtins"
_CORE = "seqpipe"
#: Environment variables: comma-separated distributions to load, and not to load.
_ONLY, _DISABLED = "SEQPIPE_PLUGINS", "SEQPIPE_DISABLE_PLUGINS"
#: Names provided by distributions of the same project, so that an error can name the one to install.
_PUBLISHED = {"cell convlstm": "seqpipe-convlstm", "cell mgu": "seqpipe-mgu"}
_KINDS: dict[str, tuple[str, type]] = {
    "cell": ("seqpipe_cells", CellSpec),
    "engine": ("seqpipe_engines", EngineSpec),
    "task": ("seqpipe_tasks", TaskSpec),
}


_Spec = CellSpec | EngineSpec | TaskSpec


@dataclass(frozen=True)
class Registered:
    """A spec and the distribution that registered it."""

    spec: _Spec
    distribution: str

    @property
    def is_builtin(self) -> bool:
        """Whether the spec ships with seqpipe."""
        return self.distribution == _CORE


@dataclass(frozen=True)
class PluginStatus:
    """Status of one entry point.

    Attributes
    ----------
    name, distribution, version : str
        The entry point, and the distribution that declares it.
    status : {"loaded", "failed", "skipped", "disabled"}
        Whether it is in use; "skipped" means written for a newer seqpipe, "disabled" left out by an environment variable.
    reason : str
        Why it is not in use, else empty.
    seconds : float
        Import time, in seconds.
    """

    name: str
    distribution: str
    version: str
    status: str
    reason: str = ""
    seconds: float = 0.0


class PluginHost:
    """Loads plug-ins and looks up the cells, engines and tasks that they register.

    Parameters
    ----------
    entry_points : iterable of importlib.metadata.EntryPoint, optional
        Entry points to load in addition to the built-ins; those of the installed distributions by default.
    """

    def __init__(self, entry_points: Iterable[metadata.EntryPoint] | None = None) -> None:
        found = list(metadata.entry_points(group=ENTRY_POINT_GROUP) if entry_points is None else entry_points)
        self._manager = pluggy.PluginManager("seqpipe")
        self._manager.add_hookspecs(hookspecs)
        self._registered: dict[str, dict[str, list[Registered]]] = {kind: {} for kind in _KINDS}
        self.statuses: list[PluginStatus] = []
        self._manager.register(importlib.import_module(_BUILTINS), name=_CORE)
        self._unasked, self._lock = set(_KINDS), threading.RLock()
        allowed = _Allowed.now()
        allowed.check(found)
        for entry_point in found:
            if reason := allowed.refusal(_distribution(entry_point)):
                self.statuses.append(_status(entry_point, "disabled", reason))
            else:
                self._load(entry_point)

    def names(self, kind: str) -> list[str]:
        """Return the sorted names of all cells, engines or tasks (``kind``)."""
        return sorted(self.offers(kind))

    def offers(self, kind: str) -> Mapping[str, list[Registered]]:
        """Return all cells, engines or tasks (``kind``) by name; a name registered twice has two entries."""
        offers = self._registered[kind]
        with self._lock:
            if kind in self._unasked:  # built-ins are collected lazily, as most uses need only one kind
                for spec in self._collect(_CORE, kind):
                    others = offers.get(spec.name, [])
                    for other in others:
                        warnings.warn(
                            f"The plug-in {other.distribution!r} offers the {kind} {spec.name!r}, which is the name of seqpipe's "
                            f"own. That one is used; the plug-in's is {other.distribution}:{spec.name}.",
                            PluginWarning,
                            stacklevel=2,
                        )
                    offers[spec.name] = [Registered(spec, _CORE), *others]
                self._unasked.discard(kind)
        return offers

    def registered(self) -> Mapping[str, Mapping[str, list[Registered]]]:
        """Return all registered specs, by kind and name."""
        return {kind: self.offers(kind) for kind in _KINDS}

    def find(
        self,
        kind: str,
        name: str,
        *,
        parameter: str,
        also: Sequence[str] = (),
        renamed: Mapping[str, str] | None = None,
    ) -> Registered:
        """Return the spec registered under ``name``; of several, that of seqpipe.

        Parameters
        ----------
        kind : {"cell", "engine", "task"}
            Kind of spec.
        name : str
            The name, or "distribution:name".
        parameter : str
            Name of the parameter in error messages, such as
            ``"The 'cell' parameter of SequenceClassifier"``.
        also : sequence of str
            Further values of the parameter, for error messages.
        renamed : mapping of str to str, optional
            Names to suggest for former values.

        Raises
        ------
        UnknownNameError
            If the name is not registered; the message lists the valid names, and plug-ins that failed.
        PluginError
            If two distributions register it, and neither is seqpipe.
        """
        offers = self._offered(kind, name) if isinstance(name, str) else []
        if not offers:
            raise UnknownNameError(self._unknown(kind, name, parameter, also, renamed or {}))
        if len(offers) > 1 and not offers[0].is_builtin:
            who = [offer.distribution for offer in offers]
            choices = " or ".join(f"'{each}:{name}'" for each in who)
            raise PluginError(f"The {kind} {name!r} is offered by {' and '.join(map(repr, who))}. Use {choices}.")
        return offers[0]

    def _offered(self, kind: str, name: str) -> list[Registered]:
        """Return the offers of a name, or of a distribution's name."""
        distribution, _, own = name.rpartition(":")
        return [o for o in self.offers(kind).get(own, []) if distribution in ("", o.distribution)]

    def _unknown(self, kind: str, name: object, parameter: str, also: Sequence[str], renamed: Mapping[str, str]) -> str:
        names = self.names(kind)
        if f"{kind} {name}" in _PUBLISHED:
            return (
                f"{parameter} is {name!r}, which comes with the distribution {_PUBLISHED[f'{kind} {name}']!r}. "
                f"Install it, or choose one of {names}."
            )
        choices = " or ".join([*map(repr, also), f"one of {names}"])
        former = renamed.get(str(name))
        hint = did_you_mean(name, [*also, *names]) if former is None else f" Did you mean {former!r}?"
        message = f"{parameter} must be {choices}. Got {name!r} instead.{hint}"
        failed = [f"{s.distribution!r} ({s.reason})" for s in self.statuses if s.status != "loaded"]
        if failed:
            return f"{message} These plug-ins could not be used: {'; '.join(failed)}."
        return (
            f"{message} {kind.capitalize()}s from plug-ins need their distribution installed; "
            '"seqpipe plugins" lists what is.'
        )

    def _load(self, entry_point: metadata.EntryPoint) -> None:
        distribution = _distribution(entry_point)
        began = time.perf_counter()
        status, reason = "loaded", ""
        try:
            with redirect_stdout(sys.stderr):  # what a plug-in prints must not end up in a file of predictions
                plugin = entry_point.load()
            reason = _api_refusal(plugin)
            if reason:
                status = "skipped"
            else:
                self._register(distribution, plugin, name=f"{distribution}:{entry_point.name}")
        except KeyboardInterrupt as error:
            error.add_note(f"The plug-in {distribution!r} was being imported.")
            raise
        except BaseException as error:  # a plug-in may even call sys.exit() on import
            status, reason = "failed", " ".join(f"{type(error).__name__}: {error}".split())
        seconds = time.perf_counter() - began
        self.statuses.append(_status(entry_point, status, reason, seconds))
        if status != "loaded":
            warnings.warn(f"The plug-in {distribution!r} was skipped: {reason}", PluginWarning, stacklevel=2)

    def _register(self, distribution: str, plugin: Any, name: str) -> None:
        if self._manager.is_registered(plugin):
            raise PluginError(f"the same object is already registered as {self._manager.get_name(plugin)!r}")
        try:
            self._manager.register(plugin, name=name)
            self._manager.check_pending()
            offers = {kind: self._collect(name, kind) for kind in _KINDS}
        except BaseException:
            if self._manager.is_registered(plugin):
                self._manager.unregister(plugin)
            raise
        for kind, specs in offers.items():
            for spec in specs:
                self._registered[kind].setdefault(spec.name, []).append(Registered(spec, distribution))

    def _collect(self, plugin_name: str, kind: str) -> list[_Spec]:
        hook, wanted = _KINDS[kind]
        specs: list[_Spec] = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            if implementation.plugin_name == plugin_name:
                specs.extend(_checked(implementation.function(), hook, wanted))
        twice = [name for name, uses in Counter(spec.name for spec in specs).items() if uses > 1]
        if twice:
            raise PluginError(f"{hook} offers {twice[0]!r} twice")
        return specs


@dataclass(frozen=True)
class _Allowed:
    """The distributions that the environment allows and disables.

    Attributes
    ----------
    only : frozenset of str or None
        Those to load, None for all.
    disabled : frozenset of str
        Those not to load.
    """

    only: frozenset[str] | None
    disabled: frozenset[str]

    @classmethod
    def now(cls) -> _Allowed:
        """Read the environment."""
        only = os.environ.get(_ONLY)
        return cls(None if only is None else _names_in(only), _names_in(os.environ.get(_DISABLED, "")))

    def refusal(self, distribution: str) -> str:
        """Return why a distribution must not be loaded, or nothing."""
        if distribution in self.disabled:
            return f"{_DISABLED} lists it"
        return f"{_ONLY} does not list it" if self.only is not None and distribution not in self.only else ""

    def check(self, entry_points: Iterable[metadata.EntryPoint]) -> None:
        """Warn of names that are not installed."""
        installed = {_distribution(entry_point) for entry_point in entry_points}
        for variable, names in ((_ONLY, self.only or frozenset()), (_DISABLED, self.disabled)):
            for name in sorted(names - installed):
                message = (
                    f"{variable} names {name!r}, which is not installed as a plug-in.{did_you_mean(name, installed)}"
                )
                warnings.warn(message, PluginWarning, stacklevel=3)


def _names_in(listed: str) -> frozenset[str]:
    return frozenset(name.strip() for name in listed.split(",") if name.strip())


def _distribution(entry_point: metadata.EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist else entry_point.value


def _status(entry_point: metadata.EntryPoint, status: str, reason: str, seconds: float = 0.0) -> PluginStatus:
    version = entry_point.dist.version if entry_point.dist else "?"
    return PluginStatus(entry_point.name, _distribution(entry_point), version, status, reason, seconds)


def _api_refusal(plugin: Any) -> str:
    """Return why a plug-in cannot be used with this API, or nothing."""
    api = getattr(plugin, "SEQPIPE_API", hookspecs.API_VERSION)
    if api <= hookspecs.API_VERSION:
        return ""
    return f"written for plug-in API {api}, but this seqpipe has {hookspecs.API_VERSION}: upgrade seqpipe"


def _checked(offered: Any, hook: str, wanted: type) -> list[_Spec]:
    specs = list(offered) if isinstance(offered, Iterable) else [offered]
    for spec in specs:
        if not isinstance(spec, wanted):
            raise TypeError(f"{hook} must return {wanted.__name__} records. Got {spec!r:.60} instead")
    return specs


@cache
def host() -> PluginHost:
    """Return the plug-in host of this process; its first call loads the installed plug-ins."""
    return PluginHost()
