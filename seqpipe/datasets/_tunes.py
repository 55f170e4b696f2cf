"""Traditional tunes as sequences of notes."""

from __future__ import annotations

import numpy as np

from seqpipe.datasets._dataset import Dataset

__all__ = ["load_tunes"]

#: Each note is a pitch and, unless it is one beat, its length in beats; all in C major.
_TUNES = {
    "Ode to Joy": """
        E4 E4 F4 G4 G4 F4 E4 D4 C4 C4 D4 E4 E4:1.5 D4:.5 D4:2 E4 E4 F4 G4 G4 F4 E4 D4 C4 C4 D4 E4 D4:1.5 C4:.5 C4:2
        D4 D4 E4 C4 D4 E4:.5 F4:.5 E4 C4 D4 E4:.5 F4:.5 E4 D4 C4 D4 G3:2
        E4 E4 F4 G4 G4 F4 E4 D4 C4 C4 D4 E4 D4:1.5 C4:.5 C4:2""",
    "Twinkle, Twinkle, Little Star": """
        C4 C4 G4 G4 A4 A4 G4:2 F4 F4 E4 E4 D4 D4 C4:2 G4 G4 F4 F4 E4 E4 D4:2 G4 G4 F4 F4 E4 E4 D4:2
        C4 C4 G4 G4 A4 A4 G4:2 F4 F4 E4 E4 D4 D4 C4:2""",
    "Frère Jacques": """
        C4 D4 E4 C4 C4 D4 E4 C4 E4 F4 G4:2 E4 F4 G4:2 G4:.5 A4:.5 G4:.5 F4:.5 E4 C4 G4:.5 A4:.5 G4:.5 F4:.5 E4 C4
        C4 G3 C4:2 C4 G3 C4:2""",
    "Au clair de la lune": """
        C4 C4 C4 D4 E4:2 D4:2 C4 E4 D4 D4 C4:4 C4 C4 C4 D4 E4:2 D4:2 C4 E4 D4 D4 C4:4
        D4 D4 D4 D4 A3:2 A3:2 D4 C4 B3 A3 G3:4 C4 C4 C4 D4 E4:2 D4:2 C4 E4 D4 D4 C4:4""",
    "London Bridge": """
        G4:1.5 A4:.5 G4 F4 E4 F4 G4:2 D4 E4 F4:2 E4 F4 G4:2 G4:1.5 A4:.5 G4 F4 E4 F4 G4:2 D4:2 G4:2 E4 C4:3""",
    "Mary Had a Little Lamb": """
        E4 D4 C4 D4 E4 E4 E4:2 D4 D4 D4:2 E4 G4 G4:2 E4 D4 C4 D4 E4 E4 E4 E4 D4 D4 E4 D4 C4:4""",
    "Jingle Bells": """
        E4 E4 E4:2 E4 E4 E4:2 E4 G4 C4:1.5 D4:.5 E4:4 F4 F4 F4:1.5 F4:.5 F4 E4 E4 E4:.5 E4:.5 E4 D4 D4 E4 D4:2 G4:2
        E4 E4 E4:2 E4 E4 E4:2 E4 G4 C4:1.5 D4:.5 E4:4 F4 F4 F4:1.5 F4:.5 F4 E4 E4 E4:.5 E4:.5 G4 G4 F4 D4 C4:4""",
    "Row, Row, Row Your Boat": """
        C4:3 C4:3 C4:2 D4 E4:3 E4:2 D4 E4:2 F4 G4:6 C5 C5 C5 G4 G4 G4 E4 E4 E4 C4 C4 C4 G4:2 F4 E4:2 D4 C4:6""",
    "Old MacDonald": """
        C4 C4 C4 G3 A3 A3 G3:2 E4 E4 D4 D4 C4:3 G3 C4 C4 C4 G3 A3 A3 G3:2 E4 E4 D4 D4 C4:4""",
    "When the Saints Go Marching In": """
        C4 E4 F4 G4:5 C4 E4 F4 G4:5 C4 E4 F4 G4:2 E4:2 C4:2 E4:2 D4:5 E4 E4 D4 C4:3 C4 E4:2 G4:2 G4 F4:4
        E4 F4 G4:2 E4:2 C4:2 D4:2 C4:4""",
    "Hot Cross Buns": """
        E4 D4 C4:2 E4 D4 C4:2 C4:.5 C4:.5 C4:.5 C4:.5 D4:.5 D4:.5 D4:.5 D4:.5 E4 D4 C4:2""",
    "Lightly Row": """
        G4 E4 E4:2 F4 D4 D4:2 C4 D4 E4 F4 G4 G4 G4:2 G4 E4 E4:2 F4 D4 D4:2 C4 E4 G4 G4 C4:4
        D4 D4 D4 D4 D4 E4 F4:2 E4 E4 E4 E4 E4 F4 G4:2 G4 E4 E4:2 F4 D4 D4:2 C4 E4 G4 G4 C4:4""",
    "Go Tell Aunt Rhody": """
        E4:2 E4 D4 C4:2 C4:2 D4:2 D4 F4 E4 D4 C4:2 G4:2 G4 F4 E4:2 E4:2 D4 C4 D4 E4 C4:4""",
    "Alle meine Entchen": """
        C4 D4 E4 F4 G4:2 G4:2 A4 A4 A4 A4 G4:4 A4 A4 A4 A4 G4:4 F4 F4 F4 F4 E4:2 E4:2 D4 D4 D4 D4 C4:4""",
    "Yankee Doodle": """
        C4 C4 D4 E4 C4 E4 D4:2 C4 C4 D4 E4 C4:2 B3:2 C4 C4 D4 E4 F4 E4 D4 C4 B3 G3 A3 B3 C4:2 C4:2""",
    "Good King Wenceslas": """
        C4 C4 C4 D4 C4 C4 G3:2 A3 G3 A3 B3 C4:2 C4:2 C4 C4 C4 D4 C4 C4 G3:2 A3 G3 A3 B3 C4:2 C4:2
        G4 F4 E4 D4 E4 D4 C4:2 A3 G3 A3 B3 C4:2 C4:2 G3 G3 A3 B3 C4 C4 D4:2 G4 F4 E4 D4 C4:2 F4:2 C4:4""",
    "Joy to the World": """
        C5:2 B4:1.5 A4:.5 G4:3 F4 E4:2 D4:2 C4:3 G4 A4:3 A4 B4:3 B4 C5:4""",
    "Amazing Grace": """
        G3 C4:2 E4:.5 C4:.5 E4:2 D4 C4:2 A3 G3:2 G3 C4:2 E4:.5 C4:.5 E4:2 D4 G4:5 E4 G4:2 E4:.5 C4:.5 E4:2 D4 C4:2 A3 G3:2
        G3 C4:2 E4:.5 C4:.5 E4:2 D4 C4:5""",
    "This Old Man": """
        G4 E4 G4:2 G4 E4 G4:2 A4 G4 F4 E4 D4 E4 F4:2 E4:.5 F4:.5 G4 C4 C4 C4:.5 D4:.5 E4:.5 F4:.5 G4:2
        G4 D4 D4 F4 E4 D4 C4:2""",
    "Pop Goes the Weasel": """
        C4:2 C4 D4:2 D4 E4 G4 E4 C4:3 C4:2 C4 D4:2 D4 E4:3 C4:3 C4:2 C4 D4:2 D4 E4 G4 E4 C4:3 A4:3 D4:2 F4 E4:3 C4:3""",
    "Silent Night": """
        G4:1.5 A4:.5 G4 E4:3 G4:1.5 A4:.5 G4 E4:3 D5:2 D5 B4:3 C5:2 C5 G4:3 A4:2 A4 C5:1.5 B4:.5 A4 G4:1.5 A4:.5 G4 E4:3
        A4:2 A4 C5:1.5 B4:.5 A4 G4:1.5 A4:.5 G4 E4:3 D5:2 D5 F5:1.5 D5:.5 B4 C5:3 E5:3 C5:1.5 G4:.5 E4 G4:1.5 F4:.5 D4
        C4:6""",
    "Skip to My Lou": """
        E4 E4 C4 C4 E4 E4 G4:2 D4 D4 B3 B3 D4 D4 F4:2 E4 E4 C4 C4 E4 E4 G4:2 D4 E4:.5 F4:.5 E4 D4 C4:2 C4:2""",
    "Sur le pont d'Avignon": """
        C4 C4 C4:2 D4 D4 D4:2 E4 F4 G4 C4 B3 C4 D4 G3 C4 C4 C4:2 D4 D4 D4:2 E4 F4 G4 C4 D4 B3 C4:2""",
    "Auld Lang Syne": """
        G3 C4:1.5 C4:.5 C4 E4 D4:1.5 C4:.5 D4 E4 C4:1.5 C4:.5 E4 G4 A4:3 A4 G4:1.5 E4:.5 E4 C4 D4:1.5 C4:.5 D4 E4
        C4:1.5 A3:.5 A3 G3 C4:3""",
}


def load_tunes() -> Dataset:
    """Return 24 traditional tunes as texts of notes such as "C4:1", pitch and length in beats, separated by spaces.

    ``X`` is an object array of strings, shape (24,); there are no targets. All tunes are in C major.

    Source: traditional tunes, and two by Beethoven and Gruber, transcribed for seqpipe as they are commonly sung.
    Licence: public domain.

    Examples
    --------
    >>> from seqpipe.datasets import load_tunes
    >>> load_tunes().X[1][:34]
    'C4:1 C4:1 G4:1 G4:1 A4:1 A4:1 G4:2'
    """
    return Dataset(
        name="tunes",
        X=np.array([" ".join(_note(note) for note in notes.split()) for notes in _TUNES.values()], dtype=object),
        description=f"{len(_TUNES)} traditional tunes as notes, each with its pitch and its length in beats.",
        source="traditional tunes, and two by L. van Beethoven and F. X. Gruber, transcribed for seqpipe",
        licence="public domain",
    )


def _note(written: str) -> str:
    pitch, _, beats = written.partition(":")
    return f"{pitch}:{float(beats or 1):g}"
