"""Names of places, and their continents or oceans."""

from __future__ import annotations

import zoneinfo
from collections import defaultdict

import numpy as np

from seqpipe.datasets._dataset import Dataset
from seqpipe.sequences import Sequences

__all__ = ["load_place_names", "load_places", "place_names_by_letter"]

_REGIONS = (
    "Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific",
)  # fmt: skip


def load_place_names() -> tuple[list[str], list[str]]:
    """Return the names of about 480 places, sorted, and the continent or ocean of each.

    The names are those of time zones, without the region: "America/Argentina/Buenos_Aires" gives "Buenos
    Aires" in "America". Names that occur in two regions, and the only place in the Arctic, are left out. The
    places depend on the time zone database of the machine.

    Source: the IANA time zone database, through ``zoneinfo``. Licence: public domain.

    Raises
    ------
    RuntimeError
        If the machine has no time zone database.

    Examples
    --------
    >>> from seqpipe.datasets import load_place_names
    >>> names, continents = load_place_names()
    >>> continents[names.index("Buenos Aires")]
    'America'
    """
    regions: dict[str, set[str]] = defaultdict(set)
    for zone in zoneinfo.available_timezones():
        region, _, place = zone.partition("/")
        if place and region in _REGIONS:
            regions[place.rpartition("/")[2].replace("_", " ")].add(region)
    if not regions:
        raise RuntimeError("This machine has no time zone database: install one with 'pip install tzdata'.")
    names = sorted(name for name, found in regions.items() if len(found) == 1)
    return names, [next(iter(regions[name])) for name in names]


def load_places() -> Dataset:
    """Return the place names as texts, with their continents or oceans as classes.

    ``X`` is an object array of strings and ``y`` an array of the same shape, (n_samples,). Source, licence and errors: see
    :func:`load_place_names`.
    """
    names, continents = load_place_names()
    return Dataset(
        name="places",
        X=np.array(names, dtype=object),
        y=np.array(continents),
        target_names=tuple(sorted(set(continents))),
        description="Names of places, and the continent or ocean of each.",
        source="IANA time zone database of this machine",
        licence="public domain",
    )


def place_names_by_letter() -> Dataset:
    """Return the place names as ragged sequences, one letter per time step, with their continents as classes.

    ``X`` holds float32 sequences of 3 to 14 steps; each step is the one-hot encoding of a letter. Letters are lower
    case. ``X.ids`` are the names, ``y`` the continents, shape (n_samples,).

    Source, licence and errors: see :func:`load_place_names`.
    """
    names, continents = load_place_names()
    letters = sorted(set("".join(names).lower()))
    steps = np.array([letters.index(letter) for letter in "".join(names).lower()])
    offsets = np.concatenate([[0], np.cumsum([len(name) for name in names])])
    one_hot = np.eye(len(letters), dtype=np.float32)[steps]
    return Dataset(
        name="place_names",
        X=Sequences(one_hot, offsets, feature_names=letters, ids=np.array(names)),
        y=np.array(continents),
        feature_names=tuple(letters),
        target_names=tuple(sorted(set(continents))),
        description="Names of places by letter, and the continent or ocean of each.",
        source="IANA time zone database of this machine",
        licence="public domain",
    )
