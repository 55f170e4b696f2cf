"""The engines that there are: seqpipe's own in their order, and before them those of plug-ins."""

from __future__ import annotations

import warnings
from functools import cache

from seqpipe.plugins import PluginHost, Registered, host
from seqpipe.recurrence.engines._engine import Engine
from seqpipe.recurrence.engines._trust import CheckedEngine

__all__ = ["all_engines", "engine_named"]

#: seqpipe's own engines in the order in which they are asked; one that is not here runs only where it is named.
_ORDER = ("c", "fused", "scan", "triton", "graph", "torch", "loop")


def all_engines() -> tuple[Engine, ...]:
    """Return all engines in the order in which they are asked; the last one takes any cell."""
    return _in_order(host())


def engine_named(name: str, *, parameter: str = "") -> Engine:
    """Return the engine of a name; ``parameter`` is what errors call the place that the name comes from.

    Raises
    ------
    UnknownNameError
        If there is none.
    PluginError
        If several distributions offer it.
    """
    return _made(host().find("engine", name, parameter=parameter))


@cache
def _in_order(host: PluginHost) -> tuple[Engine, ...]:
    offered = host.offers("engine")
    own = {name: offer for name in _ORDER for offer in offered[name] if offer.is_builtin}
    others = {name: offers for name, offers in sorted(offered.items()) if not all(o.is_builtin for o in offers)}
    for name, offers in list(others.items()):
        if len(offers) > 1:
            who = " and ".join(repr(offer.distribution) for offer in offers)
            doing = "seqpipe's is used" if name in own else "none is used"
            warnings.warn(f"The engine {name!r} is offered by {who}: {doing}.", RuntimeWarning, stacklevel=4)
            del others[name]
    return tuple(_made(offer) for offer in [*(offers[0] for offers in others.values()), *own.values()])


@cache
def _made(offer: Registered) -> Engine:
    """Return the engine that an offer stands for, one for the whole process."""
    if offer.is_builtin:
        return offer.spec.factory()
    return CheckedEngine(offer.spec.factory, offer.spec.name, offer.distribution)
