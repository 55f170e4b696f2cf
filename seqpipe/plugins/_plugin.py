"""One installed plug-in: what its source says, and its import."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from importlib import metadata
from typing import Any

import pluggy

from seqpipe.exceptions import PluginError
from seqpipe.plugins._importing import import_plugin
from seqpipe.plugins._kinds import KIND_OF_HOOK, KINDS
from seqpipe.plugins._source import SourceOffers, api_refusal, no_hook, read_source
from seqpipe.plugins._status import PluginStatus
from seqpipe.specs import Spec

__all__ = ["InstalledPlugin", "collect"]


class InstalledPlugin:
    """An entry point, which is imported when a name that it may offer is needed.

    Parameters
    ----------
    entry_point : importlib.metadata.EntryPoint
        The entry point.
    refusal : str
        Why it must not be imported, or nothing.
    """

    def __init__(self, entry_point: metadata.EntryPoint, refusal: str) -> None:
        self._entry_point = entry_point
        self._status, self._reason = ("disabled", refusal) if refusal else ("", "")
        self._seconds = 0.0
        self.distribution = distribution_of(entry_point)
        self.error: BaseException | None = None

    @cached_property
    def source(self) -> SourceOffers:
        """What it offers, as far as its source says."""
        return read_source(self._entry_point.value)

    @property
    def is_pending(self) -> bool:
        """Whether it may be imported, and has not been."""
        return not self._status

    @property
    def status(self) -> PluginStatus:
        """Its status: that of its import, or what its source says before."""
        status = self._status or self.source.status or "installed"
        reason = self._reason if self._status else self.source.reason
        version = self._entry_point.dist.version if self._entry_point.dist else "?"
        return PluginStatus(self._entry_point.name, self.distribution, version, status, reason, self._seconds)

    def load(self, manager: pluggy.PluginManager) -> dict[str, list[Spec]]:
        """Import it, and return its records by kind; nothing if it cannot be used, which the status then says."""
        began = time.perf_counter()
        self._status = "loading"  # a plug-in may ask the host for names while it is imported
        try:
            offers = self._offers(manager)
        except KeyboardInterrupt:
            self._status = ""
            raise
        except BaseException as error:  # a plug-in may even call sys.exit() on import
            self._status, self._reason = "failed", " ".join(f"{type(error).__name__}: {error}".split())
            self.error = error
            offers = {}
        self._seconds = time.perf_counter() - began
        return offers

    def _offers(self, manager: pluggy.PluginManager) -> dict[str, list[Spec]]:
        plugin = import_plugin(self._entry_point, self.distribution)
        if reason := _api_refusal(plugin):
            self._status, self._reason = "skipped", reason
            return {}
        offers = _registered(manager, plugin, f"{self.distribution}:{self._entry_point.name}")
        if offers is None:
            undecorated = [hook for hook in KIND_OF_HOOK if callable(getattr(plugin, hook, None))]
            self._status, self._reason = "empty", no_hook(undecorated)
            return {}
        self._status = "loaded"
        return offers


def distribution_of(entry_point: metadata.EntryPoint) -> str:
    """Return the name of the distribution that declares an entry point."""
    return entry_point.dist.name if entry_point.dist else entry_point.value


def collect(manager: pluggy.PluginManager, plugin_name: str, kind: str) -> list[Spec]:
    """Return the records of one kind that a registered plug-in offers.

    Raises
    ------
    TypeError
        If the hook returns something else.
    PluginError
        If a name is offered twice.
    """
    hook, wanted = KINDS[kind].hook, KINDS[kind].spec
    specs: list[Spec] = []
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        if implementation.plugin_name == plugin_name:
            specs.extend(_checked(implementation.function(), hook, wanted))
    twice = [name for name, uses in Counter(spec.name for spec in specs).items() if uses > 1]
    if twice:
        raise PluginError(f"{hook} offers {twice[0]!r} twice")
    return specs


def _registered(manager: pluggy.PluginManager, plugin: Any, name: str) -> dict[str, list[Spec]] | None:
    """Register a plug-in and return its records, or None if it implements no hook; after an error it is unregistered."""
    if manager.is_registered(plugin):
        raise PluginError(f"the same object is already registered as {manager.get_name(plugin)!r}")
    try:
        manager.register(plugin, name=name)
        manager.check_pending()
        if not manager.get_hookcallers(plugin):
            manager.unregister(plugin)
            return None
        return {kind: collect(manager, name, kind) for kind in KINDS}
    except BaseException:
        if manager.is_registered(plugin):
            manager.unregister(plugin)
        raise


def _api_refusal(plugin: Any) -> str:
    """Return why a plug-in cannot be used with this API, or nothing.

    Raises
    ------
    PluginError
        If the declared version is not an integer.
    """
    api = getattr(plugin, "SEQPIPE_API", 0)
    reason = api_refusal(api)
    if not isinstance(api, int):
        raise PluginError(reason)
    return reason


def _checked(offered: Any, hook: str, wanted: type[Spec]) -> list[Spec]:
    specs = list(offered) if isinstance(offered, Iterable) else [offered]
    for spec in specs:
        if not isinstance(spec, wanted):
            raise TypeError(f"{hook} must return {wanted.__name__} records. Got {spec!r:.60} instead")
    return specs
