"""Collects no doctests where torchrecurrent is not installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torchrecurrent") else ["src"]
