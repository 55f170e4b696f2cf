"""A new plug-in, out of the template in ``template/``, which copier renders as well."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from ruamel.yaml import YAML

from seqpipe.exceptions import PluginError, did_you_mean
from seqpipe.plugins._host import host

__all__ = ["KINDS_OF_NEW", "new_plugin"]

#: The kinds for which the template has an example.
KINDS_OF_NEW = ("cell", "engine", "reader", "task", "wrapper")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SUFFIX = ".jinja"


def new_plugin(
    name: str, kind: str, *, offered: str | None = None, author: str = "", folder: Path | None = None
) -> Path:
    """Write a distribution that offers one object and passes its tests, and return its folder.

    Parameters
    ----------
    name : str
        Name of the distribution: lower case letters, digits and hyphens.
    kind : {"cell", "engine", "reader", "task", "wrapper"}
        What it offers.
    offered : str, optional
        The name that users write; by default that of the distribution, without "seqpipe-" in front.
    author : str, default=""
        Author, for licence and metadata.
    folder : Path, optional
        The folder in which a new one, called ``name``, is created; by default the working folder.

    Raises
    ------
    PluginError
        If a name is invalid or taken, or the new folder exists.
    """
    template = files("seqpipe.plugins") / "template"
    given = {"name": name, "kind": kind, "offered": offered, "author": author or None, "year": datetime.now().year}
    values = _answers(template, given)
    _check(name, kind, str(values["offered"]))
    target = (folder or Path()) / name
    if target.exists():
        raise PluginError(f"{target} exists: choose another name, or remove it.")
    _write(template, target, values)
    return target


def _answers(template: Traversable, given: Mapping[str, object]) -> dict[str, object]:
    """Return what is given, with the template's defaults for what is not."""
    questions = YAML(typ="safe").load((template / "copier.yml").read_text(encoding="utf-8"))
    values: dict[str, object] = {}
    for question, details in questions.items():
        if not question.startswith("_"):
            answer = given.get(question)
            values[question] = _rendered(details["default"], values) if answer is None else answer
    return values


def _check(name: str, kind: str, offered: str) -> None:
    if kind not in KINDS_OF_NEW:
        close = did_you_mean(kind, KINDS_OF_NEW)
        raise PluginError(f"The kind of a plug-in must be one of {list(KINDS_OF_NEW)}. Got {kind!r} instead.{close}")
    module = name.replace("-", "_")
    if (
        not _NAME.fullmatch(name)
        or keyword.iskeyword(module)
        or module in sys.stdlib_module_names
        or module == "seqpipe"
    ):
        raise PluginError(
            "The name of a plug-in must consist of lower case letters, digits and hyphens, start with a letter, and not "
            f"be that of a module of Python or of seqpipe. Got {name!r} instead: try 'acme-cells'."
        )
    if not re.fullmatch(r"[a-z][a-z0-9_]*", offered):
        raise PluginError(
            f"The name of a {kind} must consist of lower case letters, digits and underscores, and start with a letter. "
            f"Got {offered!r} instead."
        )
    if offered in {offer.name for offer in host().own_source.names.get(kind, ())}:
        raise PluginError(
            f"seqpipe has a {kind} {offered!r} of its own, which would be used instead: choose another name."
        )


def _write(source: Traversable, target: Path, values: dict[str, object]) -> None:
    """Render a folder of the template; a file whose name renders to nothing is left out."""
    target.mkdir(parents=True)
    for each in sorted(source.iterdir(), key=lambda each: each.name):
        name = _rendered(each.name.removesuffix(_SUFFIX), values)
        if not name or name in ("copier.yml", "__pycache__"):
            continue
        if each.is_dir():
            _write(each, target / name, values)
        else:
            text = each.read_text(encoding="utf-8")
            text = _rendered(text, values) if each.name.endswith(_SUFFIX) else text
            (target / name).write_text(text, encoding="utf-8")


def _rendered(text: str, values: dict[str, object]) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(keep_trailing_newline=True, undefined=StrictUndefined)
    return environment.from_string(text).render(values)
