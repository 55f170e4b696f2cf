"""The available engines: those of plug-ins, then seqpipe's own."""

from __future__ import annotations

import warnings
from functools import cache

from seqpipe.plugins import PluginHost, Registered, host
from seqpipe.recurrence.engines._engine import Engine
from seqpipe.recurrence.engines._trust import CheckedEngine

__all__ = ["ENGINE_OF_UNROLL", "all_engines", "engine_named"]

#: seqpipe's own engines in order of priority; engines that are not listed run only if selected by name.
_ORDER = ("c", "fused", "scan", "triton", "graph", "torch", "loop")
#: Engine for each value of the deprecated parameter ``unroll``.
ENGINE_OF_UNROLL = {"auto": "auto", "dynamic": "loop", "static": "unrolled"}


def all_engines() -> tuple[Engine, ...]:
    """Return all engines in order of priority; the last one accepts any cell."""
    return _ordered(host())


def engine_named(name: str, *, parameter: str = "") -> Engine:
    """Return the engine with a name; errors refer to the source of the name as ``parameter``.

    Raises
    ------
    UnknownNameError
        If the name is unknown.
    PluginError
        If several distributions offer the engine.
    """
    return _instance(host().find("engine", name, parameter=parameter, also=("auto",), renamed=ENGINE_OF_UNROLL))


@cache
def _ordered(host: PluginHost) -> tuple[Engine, ...]:
    offered = host.offers("engine")
    own = {name: offer for name in _ORDER for offer in offered[name] if offer.is_builtin}
    others = {name: offers for name, offers in sorted(offered.items()) if not all(o.is_builtin for o in offers)}
    for name, offers in list(others.items()):
        if len(offers) > 1:
            if name not in own:  # of one that is, the host warns
                who = " and ".join(repr(offer.distribution) for offer in offers)
                warnings.warn(f"The engine {name!r} is offered by {who}: none is used.", RuntimeWarning, stacklevel=4)
            del others[name]
    return tuple(_instance(offer) for offer in [*(offers[0] for offers in others.values()), *own.values()])


@cache
def _instance(offer: Registered) -> Engine:
    """Return an offered engine, one instance per process."""
    if offer.is_builtin:
        return offer.spec.factory()
    return CheckedEngine(offer.spec.factory, offer.spec.name, offer.distribution)
