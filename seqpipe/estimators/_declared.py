"""Declarations of parameters and fitted attributes, from which signature, constraints and docstring are generated."""

from __future__ import annotations

import dataclasses
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, ClassVar, Literal, dataclass_transform

from seqpipe.saved import Entries, Items, Number, Plain, Schema, TextOf, Whole

__all__ = ["DeclaredEstimator", "Group", "fitted", "parameter"]

_WIDTH = 116
#: Sections are added to docstrings with examples, as public estimators have, unless they list parameters themselves.
_EXAMPLES, _PARAMETERS = "\nExamples\n", "\nParameters\n"
#: Schemas of fitted attributes by their types in docstrings; a net is not saved, see `RecurrentEstimator.__getstate__`.
_SAVED: dict[str, Schema | None] = {
    "float": Number(),
    "int": Whole(),
    "list of dict": Items(Entries(Plain())),
    "skorch net": None,
    "str": TextOf(pattern=r"[\w.:-]*", most=100),
}


class Group(Enum):
    """Headings of the section Parameters, in the order of the signature."""

    NETWORK = "Network"
    TRAINING = "Training"
    DATA = "Data"
    PREDICTION = "Prediction"
    COMPUTING = "Computing"


@dataclasses.dataclass(frozen=True)
class _Parameter:
    default: Any
    constraint: Any
    type: str
    description: str
    group: Group
    kw_only: bool

    def doc(self, name: str) -> str:
        shown = "optional" if self.default is None and "None" not in self.type else f"default={_shown(self.default)}"
        return _entry(f"{name} : {self.type}, {shown}", self.description)


@dataclasses.dataclass(frozen=True)
class _Fitted:
    type: str
    description: str
    saved: Schema | None

    def doc(self, name: str) -> str:
        return _entry(f"{name} : {self.type}", self.description)


def parameter(*, default: Any, constraint: Any, type: str, description: str, group: Group, kw_only: bool = True) -> Any:
    """Declare a parameter, as the value of an annotated class attribute.

    Parameters
    ----------
    default : object
        Default value; it must be immutable.
    constraint : list or str
        Entry of scikit-learn's ``_parameter_constraints``.
    type, description : str
        Type and description in the docstring.
    group : Group
        Heading in the docstring.
    kw_only : bool, default=True
        Whether the parameter is keyword-only.
    """
    return _Parameter(default, constraint, type, description, group, kw_only)


def fitted(type: str, description: str, *, saved: Schema | None = None, init: Literal[False] = False) -> Any:
    """Declare an attribute that ``fit`` sets.

    Parameters
    ----------
    type, description : str
        Type and description in the docstring.
    saved : Schema, optional
        What a file may contain as its value; by default, that of the type.
    init : False
        Tells type checkers that it is not a parameter.
    """
    return _Fitted(type, description, _SAVED[type] if saved is None else saved)


@dataclass_transform(kw_only_default=True, field_specifiers=(parameter, fitted))
class DeclaredEstimator:
    """Generates ``__init__``, ``_parameter_constraints``, ``_saved`` and docstring sections from the declarations of a class.

    A class that redeclares a name replaces the declaration of its bases, which keeps its position. ``__init__``,
    ``_parameter_constraints`` and a section Parameters are not generated where a class defines its own. ``_saved``, see
    `seqpipe.saved`, has the fitted attributes; a class adds attributes that are not public, and parameters with a narrower
    range in files than in programs.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {}
    #: The declarations of this class, without those of its bases.
    _declared: ClassVar[dict[str, _Parameter | _Fitted]] = {}
    _saved: ClassVar[dict[str, Schema]] = {}

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls._declared = {name: value for name, value in vars(cls).items() if isinstance(value, _Parameter | _Fitted)}
        for name in cls._declared:
            delattr(cls, name)  # otherwise an unfitted estimator would have the attribute
        of_fit = {name: each.saved for name, each in cls._declared.items() if isinstance(each, _Fitted) and each.saved}
        cls._saved = of_fit | vars(cls).get("_saved", {})
        declared = [vars(base).get("_declared", {}) for base in reversed(cls.__mro__)]
        parameters = _ordered(_merged(declared))
        written = vars(cls)  # what a class defines itself is kept
        if "_parameter_constraints" not in written:
            cls._parameter_constraints = {name: p.constraint for name, p in parameters.items()}
        if "__init__" not in written:
            cls.__init__ = _constructor(cls, parameters)  # type: ignore[method-assign]
        attributes = {n: each for n, each in _merged(reversed(declared)).items() if isinstance(each, _Fitted)}
        text = inspect.cleandoc(cls.__doc__ or "")  # the compiler removes the indentation from Python 3.13 on
        if _EXAMPLES in text and _PARAMETERS not in text:
            cls.__doc__ = _documented(text, _parameters_section(parameters), _section("Attributes", attributes))


def _merged(levels: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Merge the declarations of all classes: each name in its first position, with its last declaration."""
    found: dict[str, Any] = {}
    for level in levels:
        found |= level
    return found


def _ordered(declared: dict[str, Any]) -> dict[str, _Parameter]:
    """Return the parameters: positional ones first, then by group, in order of declaration, those of bases first."""
    groups = list(Group)
    parameters = [(name, p) for name, p in declared.items() if isinstance(p, _Parameter)]
    return dict(sorted(parameters, key=lambda item: (item[1].kw_only, groups.index(item[1].group))))


def _constructor(cls: type, parameters: dict[str, _Parameter]) -> Any:
    """Return an ``__init__`` that assigns its arguments, with a signature without annotations."""
    fields = [(name, Any, dataclasses.field(default=p.default, kw_only=p.kw_only)) for name, p in parameters.items()]
    made: Any = vars(dataclasses.make_dataclass(cls.__name__, fields, eq=False, repr=False))["__init__"]
    made.__annotations__ = {}
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__module__ = cls.__module__
    return made


def _documented(text: str, *sections: str) -> str:
    """Return a docstring with sections inserted where numpydoc expects them: before all others that it may have."""
    places = [text.find(f"\n{name}\n---") for name in ("See Also", "Notes", "References", "Examples")]
    place = min(place for place in places if place >= 0)
    whole = text[:place].rstrip() + "\n\n" + "\n".join(sections) + text[place:]
    return textwrap.indent(whole, "    ").lstrip() + "\n    "


def _parameters_section(parameters: dict[str, _Parameter]) -> str:
    return _heading("Parameters") + "".join(_entries(parameters))


def _entries(parameters: dict[str, _Parameter]) -> Iterator[str]:
    group = None
    for name, each in parameters.items():
        if each.group is not group:
            group = each.group
            yield f"**{group.value}**\n"
        yield each.doc(name)


def _section(title: str, declared: dict[str, _Fitted]) -> str:
    return _heading(title) + "".join(each.doc(name) for name, each in declared.items())


def _heading(title: str) -> str:
    return f"{title}\n{'-' * len(title)}\n"


def _entry(head: str, description: str) -> str:
    wrapper = textwrap.TextWrapper(_WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    return f"{head}\n{wrapper.fill(description)}\n"


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
