"""Validation of the parameters in a recipe on a copy of their owner, before training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn.base import clone

from seqpipe.exceptions import CellError, did_you_mean
from seqpipe.pipeline._document import FieldPath
from seqpipe.pipeline._load import LoadedRecipe
from seqpipe.plugins import host
from seqpipe.recurrence.wrappers import wrap
from seqpipe.training import BY_FUNCTION

#: Hidden size of a cell on which wrappers are tried.
_SMALL = 8

__all__ = ["ParameterCheck"]

_NO_OPTION = (
    "cannot be set in a recipe, which may not contain classes, objects or commands. The names of a loss, 'criterion', "
    "and of 'callbacks' can, and options of the optimizer and the loss, such as 'optimizer__eps', with a number, text, "
    "true, false or null. Set others in Python: net_params=."
)
_NO_FUNCTION = (
    "{!r} needs a function of the epoch, which a recipe cannot contain: choose another schedule, or fit in Python, "
    "with lr_schedule_params={{'lr_lambda': …}}."
)


@dataclass(frozen=True)
class ParameterCheck:
    """Validates single parameters.

    Attributes
    ----------
    loaded : LoadedRecipe
        The recipe that errors refer to.
    sample : sequences
        A small part of the data, on which transformers are tried.
    """

    loaded: LoadedRecipe
    sample: Any

    def net_options(self, inner: str, value: Any, *, path: FieldPath) -> None:
        """Raise `RecipeError` at ``path`` if ``value`` sets a part of skorch's net that can be set only in Python."""
        for entry, wanted in _net_entries(inner, value).items():
            if not _is_option(entry, wanted):
                raise self.loaded.error(path, f"{entry!r} {_NO_OPTION}")
            try:
                for kind, name in _registered_names(entry, wanted):
                    host().find(kind, name, parameter=f"The {kind}")
            except ValueError as error:
                raise self.loaded.error(path, str(error)) from error

    def name(self, owner: Any, inner: str, value: Any, *, path: FieldPath, names: list[str]) -> None:
        """Raise `RecipeError` at ``path`` if ``owner`` has no parameter ``inner``; ``names`` are its parameters."""
        try:
            clone(owner).set_params(**{inner: value})
        except (TypeError, ValueError) as error:
            close = did_you_mean(path[-1], names)
            message = f"is not a parameter here.{close} The parameters are {', '.join(names)}."
            raise self.loaded.error(path, message) from error

    def value(self, owner: Any, inner: str, value: Any, *, path: FieldPath) -> None:
        """Raise `RecipeError` at ``path`` if the value of ``inner`` is invalid."""
        changed = clone(owner).set_params(**{inner: value})
        part = changed.get_params().get(inner.rpartition("__")[0], changed)
        try:
            own = inner.rpartition("__")[2]
            if own == "cell" or (own == "decoder_cell" and value is not None):
                host().find("cell", value, parameter="The cell")
            if own == "checkpoint":
                raise ValueError(
                    "checkpoint cannot be set in a recipe: seqpipe run writes checkpoints by itself. Remove it."
                )
            if own == "lr_schedule" and isinstance(value, str) and value in BY_FUNCTION:
                raise ValueError(_NO_FUNCTION.format(value))
            if hasattr(part, "_parameter_constraints"):
                part._validate_params()
            elif hasattr(part, "transform") and not hasattr(part, "steps"):
                part.fit(self.sample)
        except (TypeError, ValueError) as error:
            raise self.loaded.error(path, str(error)) from error

    def wrappers(self, owner: Any, inner: str, *, path: FieldPath) -> None:
        """Raise `RecipeError` at ``path`` if a value given to one of the wrappers of a cell is invalid, by its place."""
        params = owner.get_params()
        prefix, given = inner.removesuffix("wrappers"), params[inner] or ()
        size = params.get(f"{prefix}hidden_size")
        found = host().find("cell", params[f"{prefix}cell"], parameter="The cell")
        options = params.get(f"{prefix}cell_params") or {}
        try:
            cell = found.spec.factory(1, size if isinstance(size, int) else _SMALL, **options)
        except Exception:  # such as a cell that takes other sizes: its fit tells
            return
        for i, wrapper in enumerate(given):
            try:
                cell = wrap(cell, [wrapper])
            except CellError as error:
                if isinstance(error.__cause__, CellError):  # of the cell, which a search may replace
                    return
                raise self.loaded.error((*path, i), str(error)) from error


def _net_entries(inner: str, value: Any) -> dict[str, Any]:
    """Return the values that a parameter passes to skorch's net, by their names in the net."""
    if inner.rpartition("__")[2] == "net_params" and isinstance(value, dict):
        return {str(entry): wanted for entry, wanted in value.items()}
    _, _, entry = f"__{inner}".partition("__net__")
    return {entry: value} if entry else {}


def _registered_names(entry: str, value: Any) -> list[tuple[str, str]]:
    """Return kind and name of each loss and callback that an entry names."""
    if entry == "criterion":
        return [("loss", value)]
    if entry == "callbacks":
        return [("callback", name) for item in value for name in ([item] if isinstance(item, str) else item)]
    return []


def _is_option(entry: str, value: Any) -> bool:
    if entry.startswith("optimizer__") and isinstance(value, list):  # such as Adam's betas
        return all(isinstance(number, int | float) for number in value)
    if entry == "criterion":
        return isinstance(value, str)
    if entry == "callbacks":
        return isinstance(value, list) and all(isinstance(item, str | dict) for item in value)
    return entry.startswith(("criterion__", "optimizer__")) and isinstance(value, bool | int | float | str | None)
