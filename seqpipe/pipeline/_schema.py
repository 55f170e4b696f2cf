"""The schema of recipes: sections and their fields."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from unicodedata import normalize

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from seqpipe.tables import CsvFormat, Roles
from seqpipe.tracking import Diagnostic

__all__ = ["GRID_TAGS", "DataSection", "EvaluateSection", "Named", "Recipe", "SearchSection", "TrackingSection"]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


def _as_name(value: object) -> object:
    """Return the name of a column, which YAML parses as a number if it looks like one."""
    name = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return normalize("NFC", name) if isinstance(name, str) else name


Column = Annotated[str, BeforeValidator(_as_name)]
Columns = Annotated[list[Column], BeforeValidator(_as_list), Field(min_length=1)]
Candidates = Annotated[dict[str, Annotated[list[Any], Field(min_length=1)]], Field(min_length=1)]
#: Parts that pydantic adds to the location of an error in a grid, or in one of several.
GRID_TAGS = ("one grid", "several grids")
Grids = Annotated[
    Annotated[Candidates, Tag(GRID_TAGS[0])] | Annotated[list[Candidates], Tag(GRID_TAGS[1]), Field(min_length=1)],
    Discriminator(lambda value: GRID_TAGS[isinstance(value, list)]),
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Named(_Section):
    """A registered name with parameters: written ``name`` or ``name: {parameter: value}``."""

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
    """The source of the data, and the roles of its columns.

    Attributes
    ----------
    dataset : str or None
        An embedded data set; either this or ``path``.
    path : str or None
        A CSV or Parquet file or a folder of Parquet files, relative to the recipe or to the working folder.
    id, time, features, target, sequence
        Column roles, see `seqpipe.tasks.Roles`.
    separator, decimal, encoding
        Format of a CSV file, see `seqpipe.tables.CsvFormat`; detected from the file by default.
    sort : bool
        Whether to sort rows by ``time``; otherwise unsorted rows raise an error.
    missing : {"error", "interpolate", "forward", "drop"}
        How missing values are handled: raise an error, interpolate linearly within a sequence, repeat the last value,
        or drop the step.
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
                raise ValueError(f"{option!r} describes the format of a file, and requires 'path'")
        try:
            CsvFormat(self.separator, self.decimal, self.encoding)
        except ValueError as error:
            raise ValueError(str(error).rstrip(".")) from error
        return self

    @property
    def form(self) -> CsvFormat:
        """Format of a CSV file, as specified in the recipe."""
        return CsvFormat(self.separator, self.decimal, self.encoding)

    @property
    def roles(self) -> Roles:
        """Roles of the columns."""
        features = None if self.features is None else tuple(self.features)
        return Roles(self.id, self.time, features, tuple(self.target or ()), self.sequence)


class SearchSection(_Section):
    """The candidates of a search, and how they are compared.

    Attributes
    ----------
    grid : dict of str to list, list of dict, or None
        Parameters and their values, of which all combinations are tried; of several grids, those of each.
    random : dict of str to list, or None
        Parameters and their values, of which ``n_iter`` random combinations are tried.
    n_iter : int or None
        Number of random candidates.
    cv : int
        Number of folds.
    scoring : str or None
        The score that candidates are ranked by; by default that of the estimator.
    jobs : int
        Number of parallel fits; -1 for one per core.
    backend : {"loky", "threading"} or None
        Where fits run: in separate processes, which take seconds to start, or in threads of this process, which
        share the global interpreter lock. By default joblib's, "loky" unless set by `joblib.parallel_config`.
    """

    grid: Grids | None = None
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
            raise ValueError(
                "'n_iter', the number of candidates to draw, must be given with 'random', and only with it"
            )
        if self.jobs == 0:
            raise ValueError("'jobs' must be a number of parallel fits, or -1 for one per core. Got 0 instead")
        return self

    @property
    def grids(self) -> list[tuple[tuple[str | int, ...], dict[str, list[Any]]]]:
        """The parameters and their values of each grid, with its path in the recipe."""
        if self.random is not None:
            return [(("search", "random"), self.random)]
        if isinstance(self.grid, list):
            return [(("search", "grid", i), grid) for i, grid in enumerate(self.grid)]
        return [(("search", "grid"), self.grid or {})]

    @property
    def names(self) -> list[str]:
        """The names of all searched parameters, in the order of the recipe."""
        return list(dict.fromkeys(name for _, grid in self.grids for name in grid))


class EvaluateSection(_Section):
    """The held-out data, and what is done after the evaluation on it.

    Attributes
    ----------
    test_size : float or int
        A fraction of the samples, or a number of them.
    refit : bool or None
        Whether the model is fitted again to all samples after the evaluation; by default that of the task, True for
        forecasts and False for others.
    metrics, pictures : list of str
        Scores and pictures of plug-ins, in addition to those of the task.
    report : bool
        Whether the report of ``mlflow.models.evaluate`` on the held-out data is logged to the run.
    epoch_pictures : int or None
        Number of epochs between two pictures of the model in training, which are logged to the run; by default none are.
    """

    test_size: float | int = 0.25
    refit: bool | None = None
    metrics: Annotated[list[str], BeforeValidator(_as_list)] = Field(default_factory=list)
    pictures: Annotated[list[str], BeforeValidator(_as_list)] = Field(default_factory=list)
    report: bool = False
    epoch_pictures: Annotated[int, Field(ge=1)] | None = None

    @field_validator("test_size", mode="plain")
    @classmethod
    def _share_or_number(cls, value: object) -> float | int:
        if isinstance(value, bool) or not isinstance(value, float | int):
            raise ValueError(f"must be a number. Got {value!r} instead")
        if value <= 0 or (isinstance(value, float) and value >= 1):
            raise ValueError(
                f"must be a fraction between 0 and 1, or an integer number of samples. Got {value!r} instead"
            )
        return value


class TrackingSection(_Section):
    """Where runs are recorded.

    Attributes
    ----------
    experiment : str or None
        Name of the experiment; by default that of the recipe.
    uri : str or None
        MLflow tracking URI; by default ``MLFLOW_TRACKING_URI``, else the embedded store in ``mlruns/``.
    enabled, log_model : bool
        Whether to record the run, and whether to log the model.
    diagnostics : list of {"gradient_flow", "hidden_states"}
        Diagnostics of the fitted network, recorded as pictures and metrics of the run.
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
