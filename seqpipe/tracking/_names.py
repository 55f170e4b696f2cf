"""Names of runs, which say what was fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqpipe.tracking._params import as_text, cells_in
from seqpipe.tracking._search import grid_of

__all__ = ["candidate_name", "fit_name", "last_parts"]

_BETWEEN = " · "
#: Parameters whose value says enough beside that of "cell", and the number of characters of a value in a name.
_BARE = ("cell", "hidden_size")
_LONGEST = 40


def candidate_name(params: Mapping[str, Any]) -> str:
    """Return the name of a combination of parameters, such as "gru · 64 · lr 0.01"; empty for an empty one.

    Parameters
    ----------
    params : mapping
        Values by name, "step__name" for those of a step. Cell and hidden size come first.
    """
    short = last_parts(params)
    values = {short[name]: _as_word(value) for name, value in params.items()}
    first = [name for name in _BARE if name in values]
    bare = first if "cell" in values else []
    rest = [name for name in values if name not in first]
    return _BETWEEN.join(values[name] if name in bare else f"{name} {values[name]}" for name in first + rest)


def fit_name(estimator: Any, title: str | None = None) -> str:
    """Return the name of an outermost fit: the title, by default its class, and what is searched or else the model.

    The model is cell and hidden size, if it has them: "digits: gru · 64"; a search is "digits: cell × hidden_size".
    """
    title = title or type(estimator).__name__
    if grid := grid_of(estimator):
        return f"{title}: {' × '.join(last_parts(grid).values())}"
    model = {name: value for name, value in estimator.get_params().items() if name.rpartition("__")[2] in _BARE}
    return f"{title}: {candidate_name(model)}" if len(cells_in(model)) == 1 else title


def last_parts(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the last part of each name, such as "cell" of "net__cell", or the whole names if that is ambiguous."""
    short = {name: name.rpartition("__")[2] for name in params}
    return short if len(set(short.values())) == len(short) else {name: name for name in params}


def _as_word(value: Any) -> str:
    text = " ".join(as_text(value).split())
    try:
        number = float(text)
    except ValueError:
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return text if text.lstrip("+-").isdigit() else f"{number:.4g}"
