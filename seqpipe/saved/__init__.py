"""What a saved object may hold: schemas of attributes, which are checked before anything is created from a file.

A class whose objects are saved declares ``_saved``, a dict of attribute names and schemas; a subclass adds to those of its
bases. What reads files describes their contents by plain values and outlines of arrays and objects, see `seqpipe.bundle`.
"""

from seqpipe.saved._outline import ArrayOutline, FunctionOutline, ObjectOutline, TypeOutline
from seqpipe.saved._plain import Inert, Numbering, Plain, Record
from seqpipe.saved._schema import (
    LONGEST,
    AnyOf,
    ArrayOf,
    Entries,
    Flag,
    Function,
    Instance,
    Items,
    Nothing,
    Number,
    Schema,
    StateError,
    SubclassOf,
    TextOf,
    Whole,
    optional,
)
from seqpipe.saved._writing import is_writing, writing

__all__ = [
    "LONGEST",
    "AnyOf",
    "ArrayOf",
    "ArrayOutline",
    "Entries",
    "Flag",
    "Function",
    "FunctionOutline",
    "Inert",
    "Instance",
    "Items",
    "Nothing",
    "Number",
    "Numbering",
    "ObjectOutline",
    "Plain",
    "Record",
    "Schema",
    "StateError",
    "SubclassOf",
    "TextOf",
    "TypeOutline",
    "Whole",
    "is_writing",
    "optional",
    "writing",
]
