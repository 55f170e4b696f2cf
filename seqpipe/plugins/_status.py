"""The records of the host: what is registered, and the status of each plug-in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqpipe.exceptions import PluginError, SeqpipeError
from seqpipe.plugins._kinds import KIND_OF_SPEC
from seqpipe.specs import Spec

__all__ = ["CORE", "PluginStatus", "Registered"]

#: The distribution of what ships with seqpipe.
CORE = "seqpipe"


@dataclass(frozen=True)
class Registered:
    """A spec and the distribution that registered it."""

    spec: Spec
    distribution: str

    @property
    def is_builtin(self) -> bool:
        """Whether the spec ships with seqpipe."""
        return self.distribution == CORE

    @property
    def who(self) -> str:
        """Its name in errors."""
        kind = KIND_OF_SPEC[type(self.spec).__name__]
        of = "seqpipe" if self.is_builtin else f"the plug-in {self.distribution!r}"
        return f"The {kind} {self.spec.name!r} of {of}"

    def create(self, *args: Any, **params: Any) -> Any:
        """Call the factory.

        Raises
        ------
        PluginError
            If it raises an exception that is not seqpipe's; the message names the distribution.
        """
        try:
            return self.spec.factory(*args, **params)
        except SeqpipeError:
            raise
        except Exception as error:
            raise self.error(f"failed with {' '.join(f'{type(error).__name__}: {error}'.split())}") from error

    def error(self, fault: str) -> PluginError:
        """Return an error that says what is wrong with the object; ``fault`` follows its name."""
        return PluginError(f"{self.who} {fault.rstrip('.')}.")


@dataclass(frozen=True)
class PluginStatus:
    """Status of one entry point.

    Attributes
    ----------
    name, distribution, version : str
        The entry point, and the distribution that declares it.
    status : {"installed", "loaded", "failed", "skipped", "empty", "disabled"}
        "installed": not imported, as no name of it was needed; "skipped": written for a newer seqpipe; "empty": it
        implements no hook; "disabled": left out by an environment variable.
    reason : str
        Why it is not in use, else empty.
    seconds : float
        Import time, in seconds; 0 before the import.
    """

    name: str
    distribution: str
    version: str
    status: str
    reason: str = ""
    seconds: float = 0.0

    @property
    def is_usable(self) -> bool:
        """Whether its names can be used."""
        return self.status in ("installed", "loading", "loaded")
