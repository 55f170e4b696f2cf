"""The plug-in host: knows the installed plug-ins, imports those that are needed, and looks up names.

A plug-in is an entry point of the group ``seqpipe`` whose object implements hooks of :mod:`seqpipe.hookspecs`. What
it offers is read from its source; it is imported when a name that it may offer is first needed. A plug-in that raises
any exception is skipped entirely, with one warning; the others are loaded. It may declare the API version it was
written for as ``SEQPIPE_API = 1``. The environment variables SEQPIPE_PLUGINS and SEQPIPE_DISABLE_PLUGINS list the
distributions to load, and those not to load.
"""

from seqpipe.plugins._host import ENTRY_POINT_GROUP, PluginHost, host
from seqpipe.plugins._kinds import KINDS, Kind
from seqpipe.plugins._scaffold import KINDS_OF_NEW, new_plugin
from seqpipe.plugins._source import Offer, SourceOffers
from seqpipe.plugins._status import PluginStatus, Registered

__all__ = [
    "ENTRY_POINT_GROUP",
    "KINDS",
    "KINDS_OF_NEW",
    "Kind",
    "Offer",
    "PluginHost",
    "PluginStatus",
    "Registered",
    "SourceOffers",
    "host",
    "new_plugin",
]
