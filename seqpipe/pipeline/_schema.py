"""What a recipe may say: its sections and their fields."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from unicodedata import normalize

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from seqpipe.tables import CsvFormat, Roles
from seqpipe.tracking import Diagnostic

__all__ = ["DataSection", "EvaluateSection", "Named", "Recipe", "SearchSection", "TrackingSection"]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


def _as_name(value: object) -> object:
    """Return the name of a column, which YAML takes for a number where it is one."""
    name = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return normalize("NFC", name) if isinstance(name, str) else name


Column = Annotated[str, BeforeValidator(_as_name)]
Columns = Annotated[list[Column], BeforeValidator(_as_list), Field(min_length=1)]
Candidates = Annotated[dict[str, Annotated[list[Any], Field(min_length=1)]], Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Named(_Section):
    """Something in a registry, with its parameters: written ``name`` or ``name: {parameter: value}``."""

    name: str
    params: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_recipe(cls, value: object) -> object:
        if isinstance(value, str):
            return {"name": value}
        if not isinstance(value, dict) or len(value) != 1:
            raise ValueError("must be a name, or one name with its parameters, as in 'name: {parameter: value}'")
        [(name, params)] = value.items()
        if not isinstance(params, dict | None) or not all(isinstance(key, str) for key in params or ()):
            raise ValueError(f"the parameters of {name!r} must be written as '{{parameter: value}}'")
        return {"name": name, "params": params or {}}


class DataSection(_Section):
    """Where the data is, and what its columns are.

    Attributes
    ----------
    dataset : str or None
        An embedded data set; or else
    path : str or None
        a CSV or Parquet file or a folder of Parquet files, relative to the recipe or to the working folder.
    id, time, features, target, sequence
        Column roles, see `seqpipe.tasks.Roles`.
    separator, decimal, encoding
        How a CSV file is written, see `seqpipe.tables.CsvFormat`; found in the file by default.
    sort : bool
        Whether rows are to be put in the order of ``time``; unsorted rows are an error otherwise.
    missing : {"error", "interpolate", "forward", "drop"}
        What becomes of empty cells: an error, a line between a sequence's neighbouring steps, its last value, or
        the step is dropped.
    """

    dataset: str | None = None
    path: str | None = None
    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    id: Column | None = None
    time: Column | None = None
    features: Columns | None = None
    target: Columns | None = None
    sequence: Column | None = None
    sort: bool = False
    missing: Literal["error", "interpolate", "forward", "drop"] = "error"

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.dataset is None) == (self.path is None):
            raise ValueError("give either 'dataset', the name of an embedded data set, or 'path', a file")
        for option in ("separator", "decimal", "encoding"):
            if self.path is None and getattr(self, option) is not None:
                raise ValueError(f"{option!r} says how a file is written, and goes with 'path'")
        try:
            CsvFormat(self.separator, self.decimal, self.encoding)
        except ValueError as error:
            raise ValueError(str(error).rstrip(".")) from error
        return self

    @property
    def form(self) -> CsvFormat:
        """How a CSV file is written, as far as the recipe says so."""
        return CsvFormat(self.separator, self.decimal, self.encoding)

    @property
    def roles(self) -> Roles:
        """What the columns are, as tasks take it."""
        features = None if self.features is None else tuple(self.features)
        return Roles(self.id, self.time, features, tuple(self.target or ()), self.sequence)


class SearchSection(_Section):
    """What to choose from, and how candidates are compared.

    Attributes
    ----------
    grid, random : dict of str to list, or None
        Parameters and the values to try: all combinations, or ``n_iter`` drawn ones.
    n_iter : int or None
        Number of drawn candidates.
    cv : int
        Number of folds.
    scoring : str or None
        The score to choose by; the estimator's own by default.
    jobs : int
        Fits at the same time; -1 for one a core.
    backend : {"loky", "threading"} or None
        Where they run: in processes of their own, which take seconds to start, or in threads of this one, which
        share Python's lock. By default joblib's, "loky" unless `joblib.parallel_config` says otherwise.
    """

    grid: Candidates | None = None
    random: Candidates | None = None
    n_iter: Annotated[int, Field(ge=1)] | None = None
    cv: Annotated[int, Field(ge=2)] = 3
    scoring: str | None = None
    jobs: int = 1
    backend: Literal["loky", "threading"] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.grid is None) == (self.random is None):
            raise ValueError("give either 'grid' or 'random', with parameters and the values to try")
        if (self.random is None) != (self.n_iter is None):
            raise ValueError("'n_iter', the number of candidates to draw, goes with 'random', and only with it")
        if self.jobs == 0:
            raise ValueError("'jobs' must be a number of fits at the same time, or -1 for one a core. Got 0 instead")
        return self

    @property
    def candidates(self) -> dict[str, list[Any]]:
        """The parameters and the values to try."""
        return self.grid or self.random or {}

    @property
    def field(self) -> Literal["grid", "random"]:
        """The field that `candidates` were written under."""
        return "random" if self.grid is None else "grid"


class EvaluateSection(_Section):
    """What is held out: a share of the samples, or a number of them."""

    test_size: float | int = 0.25

    @field_validator("test_size", mode="plain")
    @classmethod
    def _share_or_number(cls, value: object) -> float | int:
        if isinstance(value, bool) or not isinstance(value, float | int):
            raise ValueError(f"must be a number. Got {value!r} instead")
        if value <= 0 or (isinstance(value, float) and value >= 1):
            raise ValueError(f"must be a share between 0 and 1, or a whole number of samples. Got {value!r} instead")
        return value


class TrackingSection(_Section):
    """Where runs are recorded.

    Attributes
    ----------
    experiment : str or None
        Its name; the recipe's by default.
    uri : str or None
        MLflow's tracking URI; by default ``MLFLOW_TRACKING_URI``, else the embedded store under ``mlruns/``.
    enabled, log_model : bool
        Whether to record anything, and whether to record the model.
    diagnostics : list of {"gradient_flow", "hidden_states"}
        What to look for inside the fitted network: pictures and metrics of the run.
    """

    experiment: str | None = None
    uri: str | None = None
    enabled: bool = True
    log_model: bool = True
    diagnostics: Annotated[list[Diagnostic], BeforeValidator(_as_list)] = Field(default_factory=list)


class Recipe(_Section):
    """One job: data, model, search and evaluation. See the sections for their fields."""

    name: str | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    data: DataSection
    steps: list[Named] = Field(default_factory=list)
    task: Named
    search: SearchSection | None = None
    evaluate: EvaluateSection = EvaluateSection()
    tracking: TrackingSection = TrackingSection()
