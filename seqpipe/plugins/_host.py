"""The host: knows the installed plug-ins, imports those that are needed, and looks up names."""

from __future__ import annotations

import importlib
import os
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from importlib import metadata
from types import MappingProxyType

import pluggy

from seqpipe import hookspecs
from seqpipe.exceptions import PluginError, PluginWarning, UnknownNameError, did_you_mean
from seqpipe.plugins._environment import Allowed
from seqpipe.plugins._kinds import KINDS
from seqpipe.plugins._plugin import InstalledPlugin, collect, distribution_of
from seqpipe.plugins._published import published_by
from seqpipe.plugins._source import SourceOffers, read_source
from seqpipe.plugins._status import CORE, PluginStatus, Registered
from seqpipe.specs import Spec

__all__ = ["ENTRY_POINT_GROUP", "PluginHost", "host"]

ENTRY_POINT_GROUP = "seqpipe"
_BUILTINS = "seqpipe.builtins"
#: Number of names of plug-ins up to which errors list them.
_MOST_LISTED = 8


class PluginHost:
    """Looks up what seqpipe and plug-ins register; imports a plug-in only when a name that it may offer is needed.

    Parameters
    ----------
    entry_points : iterable of importlib.metadata.EntryPoint, optional
        Entry points in addition to the built-ins; those of the installed distributions by default.
    """

    def __init__(self, entry_points: Iterable[metadata.EntryPoint] | None = None) -> None:
        found = list(metadata.entry_points(group=ENTRY_POINT_GROUP) if entry_points is None else entry_points)
        allowed = Allowed.now()
        allowed.check({distribution_of(each) for each in found})
        self._plugins = [InstalledPlugin(each, allowed.refusal(distribution_of(each))) for each in found]
        self._manager = pluggy.PluginManager("seqpipe")
        self._manager.add_hookspecs(hookspecs)
        self._manager.register(importlib.import_module(_BUILTINS), name=CORE)
        self._registered: dict[str, dict[str, list[Registered]]] = {kind: {} for kind in KINDS}
        self._for_now: dict[str, dict[str, Registered]] = {kind: {} for kind in KINDS}
        self._uncollected, self._lock = set(KINDS), threading.RLock()
        self._warned: set[tuple[str, str, str]] = set()

    @property
    def statuses(self) -> list[PluginStatus]:
        """The status of every entry point."""
        return [plugin.status for plugin in self._plugins]

    @cached_property
    def own_source(self) -> SourceOffers:
        """What ships with seqpipe, read from the source."""
        return read_source(_BUILTINS)

    @property
    def sources(self) -> list[tuple[PluginStatus, SourceOffers]]:
        """The status of every entry point that is not disabled, and what its source says it offers."""
        return [(plugin.status, plugin.source) for plugin in self._plugins if plugin.status.status != "disabled"]

    def load_all(self) -> None:
        """Import all plug-ins that are not disabled."""
        self._load(lambda plugin: True)

    def names(self, kind: str) -> list[str]:
        """Return the sorted names of all objects of a kind."""
        return sorted(self.offers(kind))

    def offers(self, kind: str) -> Mapping[str, list[Registered]]:
        """Return all objects of a kind by name; a name registered twice has two entries."""
        self._load(lambda plugin: kind in plugin.source.kinds)
        with self._lock:
            self._collect_own(kind)
        return MappingProxyType(self._registered[kind] | {name: [o] for name, o in self._for_now[kind].items()})

    @contextmanager
    def offering(self, kind: str, spec: Spec, distribution: str) -> Iterator[None]:
        """Offer a record in the context, instead of all others of its name.

        Parameters
        ----------
        kind : str
            Kind of spec, such as "cell".
        spec : Spec
            The record.
        distribution : str
            The distribution that offers it.

        Raises
        ------
        TypeError
            If the record is of another kind.
        """
        if not isinstance(spec, KINDS[kind].spec):
            raise TypeError(
                f"The 'spec' parameter of offering must be a {KINDS[kind].spec.__name__} for a {kind}. Got {spec!r:.60} instead."
            )
        before = dict(self._for_now[kind])
        self._for_now[kind] = {**before, spec.name: Registered(spec, distribution)}
        try:
            yield
        finally:
            self._for_now[kind] = before

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
        kind : str
            Kind of spec, such as "cell".
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
        now = self._for_now[kind].get(own)
        if now is not None and distribution in ("", now.distribution):
            return [now]
        with self._lock:
            self._collect_own(kind)
            if distribution:
                self._load(lambda plugin: plugin.distribution == distribution)
            elif any(offer.is_builtin for offer in self._registered[kind].get(own, ())):
                self._warn_of_taken(kind, own)
            else:
                self._load(lambda plugin: plugin.source.may_offer(kind, own))
                if own not in self._registered[kind]:
                    self.load_all()
        return [o for o in self._registered[kind].get(own, []) if distribution in ("", o.distribution)]

    def _collect_own(self, kind: str) -> None:
        """Collect the built-ins of a kind, at the first need: most uses need few kinds."""
        if kind in self._uncollected:
            self._uncollected.discard(kind)
            for spec in collect(self._manager, CORE, kind):
                self._registered[kind].setdefault(spec.name, []).insert(0, Registered(spec, CORE))

    def _load(self, wanted: Callable[[InstalledPlugin], bool]) -> None:
        with self._lock:
            for plugin in self._plugins:
                if plugin.is_pending and wanted(plugin):
                    self._register(plugin)

    def _register(self, plugin: InstalledPlugin) -> None:
        for kind, specs in plugin.load(self._manager).items():
            if specs:
                self._collect_own(kind)
            for spec in specs:
                offers = self._registered[kind].setdefault(spec.name, [])
                if any(offer.is_builtin for offer in offers):
                    self._warn_of_name(kind, spec.name, plugin.distribution)
                offers.append(Registered(spec, plugin.distribution))
        status = plugin.status
        if status.status != "loaded":
            if plugin.error is not None and os.environ.get("SEQPIPE_DEBUG", "0") not in ("", "0"):
                traceback.print_exception(plugin.error)
            message = f"The plug-in {plugin.distribution!r} was skipped: {status.reason}"
            warnings.warn(message, PluginWarning, stacklevel=2)

    def _warn_of_taken(self, kind: str, name: str) -> None:
        """Warn of plug-ins whose source offers the name of a built-in."""
        for plugin in self._plugins:
            if plugin.is_pending and any(offer.name == name for offer in plugin.source.names.get(kind, ())):
                self._warn_of_name(kind, name, plugin.distribution)

    def _warn_of_name(self, kind: str, name: str, distribution: str) -> None:
        if (kind, name, distribution) in self._warned:
            return
        self._warned.add((kind, name, distribution))
        warnings.warn(
            f"The plug-in {distribution!r} offers the {kind} {name!r}, which is the name of seqpipe's own. That one is "
            f"used; the plug-in's is {distribution}:{name}.",
            PluginWarning,
            stacklevel=2,
        )

    def _unknown(self, kind: str, name: object, parameter: str, also: Sequence[str], renamed: Mapping[str, str]) -> str:
        names = self.names(kind)
        if (published := published_by(kind, name)) is not None:
            return (
                f"{parameter} is {name!r}, which comes with the distribution {published!r}. "
                f"Install it, or choose {' or '.join(self._listed(kind))}."
            )
        choices = " or ".join([*map(repr, also), *self._listed(kind)])
        former = renamed.get(str(name))
        hint = did_you_mean(name, [*also, *names]) if former is None else f" Did you mean {former!r}?"
        message = f"{parameter} must be {choices or 'a registered name'}. Got {name!r} instead.{hint}"
        failed = [f"{s.distribution!r} ({s.reason})" for s in self.statuses if not s.is_usable]
        if failed:
            return f"{message} These plug-ins could not be used: {'; '.join(failed)}."
        plural = KINDS[kind].hook.removeprefix("seqpipe_").capitalize()
        return f'{message} {plural} from plug-ins need their distribution installed; "seqpipe plugins" lists what is.'

    def _listed(self, kind: str) -> list[str]:
        """Return the names of a kind for an error; many names of plug-ins are counted instead."""
        offers = self.offers(kind)
        plugged = [name for name, each in offers.items() if not each[0].is_builtin]
        if not offers or len(plugged) <= _MOST_LISTED:
            return [f"one of {sorted(offers)}"] if offers else []
        return [f"one of {sorted(set(offers) - set(plugged))}", f"one of {len(plugged)} of plug-ins"]


def host() -> PluginHost:
    """Return the plug-in host of this process, for the plug-ins that the environment allows now."""
    return host_for(Allowed.now())


@cache
def host_for(allowed: Allowed) -> PluginHost:
    """Return the host for plug-ins that the environment allows; there is one for each state of the environment."""
    return PluginHost()
