"""The environment variables that select plug-ins: SEQPIPE_PLUGINS and SEQPIPE_DISABLE_PLUGINS."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection
from dataclasses import dataclass

from seqpipe.exceptions import PluginWarning, did_you_mean

__all__ = ["Allowed"]

#: Environment variables: comma-separated distributions to load, and not to load.
_ONLY, _DISABLED = "SEQPIPE_PLUGINS", "SEQPIPE_DISABLE_PLUGINS"


@dataclass(frozen=True)
class Allowed:
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
    def now(cls) -> Allowed:
        """Read the environment."""
        only = os.environ.get(_ONLY)
        return cls(None if only is None else _names_in(only), _names_in(os.environ.get(_DISABLED, "")))

    def refusal(self, distribution: str) -> str:
        """Return why a distribution must not be loaded, or nothing."""
        if distribution in self.disabled:
            return f"{_DISABLED} lists it"
        return f"{_ONLY} does not list it" if self.only is not None and distribution not in self.only else ""

    def check(self, installed: Collection[str]) -> None:
        """Warn of names that are not installed."""
        for variable, names in ((_ONLY, self.only or frozenset()), (_DISABLED, self.disabled)):
            for name in sorted(names - set(installed)):
                message = (
                    f"{variable} names {name!r}, which is not installed as a plug-in.{did_you_mean(name, installed)}"
                )
                warnings.warn(message, PluginWarning, stacklevel=3)


def _names_in(listed: str) -> frozenset[str]:
    return frozenset(name.strip() for name in listed.split(",") if name.strip())
