"""The command ``seqpipe``.

Exit codes: 0 success, 1 failure, 2 usage error (including invalid recipes), 130 interrupted by Ctrl-C, 141 output
closed by its reader, 143 terminated by SIGTERM. Imports are lazy, so that ``--help`` is instant.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from seqpipe.exceptions import RecipeError, SeqpipeError
from seqpipe.process import command_line, variable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["app", "main"]

_FAILED, _USAGE_ERROR, _INTERRUPTED, _OUTPUT_CLOSED = 1, 2, 130, 141
#: Width of tables when the output is not a terminal.
_PLAIN_WIDTH = 120

#: Columns of the table of plug-ins.
_COLUMNS = ("name", "kind", "distribution", "version", "status", "reason")

app = typer.Typer(
    help="Train, tune, track and compare recurrent models.",
    epilog="Documentation: docs/index.md; commands in docs/command-line.md, recipes in docs/recipes.md.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line."""
    with command_line(_show_warning):
        app()


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    no_plugins: Annotated[bool, typer.Option("--no-plugins", help="Load no plug-ins.")] = False,
) -> None:
    if debug:
        context.with_resource(variable("SEQPIPE_DEBUG", "1"))
    if no_plugins:
        context.with_resource(variable("SEQPIPE_PLUGINS", ""))
    if version:
        typer.echo(_version("seqpipe"))
        raise typer.Exit


@app.command()
def run(
    recipe: Annotated[str, typer.Argument(help="YAML file, or name of a shipped recipe such as digits.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Override a field, such as search.cv=5; may be repeated."),
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Number of parallel fits; -1 uses all cores.")] = None,
    device: Annotated[str | None, typer.Option(help="Device to train on, such as cpu or cuda.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> None:
    """Train, tune, evaluate and record the model of a recipe."""
    with _clean_errors():
        from seqpipe.pipeline import run_recipe

        run_recipe(recipe, overrides=overrides or (), jobs=jobs, device=device, console=_console(quiet=quiet))


@app.command()
def compare(
    experiment: Annotated[
        str | None, typer.Argument(help="Name of the experiment; by default the last modified one.")
    ] = None,
    uri: Annotated[str | None, typer.Option(help="Tracking store; by default mlruns/mlflow.db.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write the picture to.")] = None,
    runs: Annotated[
        list[str] | None,
        typer.Option(
            "--run", metavar="ID", help="Search or fit to compare, by its id or a prefix of it; may be repeated."
        ),
    ] = None,
    all_data: Annotated[
        bool, typer.Option("--all-data", help="Include searches and fits scored on other data.")
    ] = False,
) -> None:
    """Compare the searches and fits of an experiment on its newest data, as a table and a picture."""
    with _clean_errors():
        from seqpipe.pipeline import COLUMNS_EXPLAINED, compare_experiment, print_table

        found = compare_experiment(experiment, uri, runs=runs or (), all_data=all_data)
        table = found.table.rename(
            columns={"seconds": "fit s", "compile_seconds": "compile s", "n_parameters": "parameters"}
        )
        print_table(_console(), table, found.experiment, caption=COLUMNS_EXPLAINED)
        if found.left_out:
            typer.echo(found.left_out)
        picture = output or Path(f"{_file_name(found.experiment)}-compared.png")
        _check_picture(picture, found.figure.canvas.get_supported_filetypes())
        found.figure.savefig(picture)
        typer.echo(f"picture: {picture}")


@app.command()
def predict(
    model: Annotated[str, typer.Argument(help="Model URI printed by a run, or a model folder.")],
    data: Annotated[
        Path | None, typer.Argument(help="CSV or Parquet file with the recipe's columns, or .txt file of texts.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="CSV, Parquet or .txt file to write.")] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Number of time steps to forecast; after the rows in DATA, if given.")
    ] = None,
    uri: Annotated[str | None, typer.Option(help="Tracking store; by default mlruns/mlflow.db.")] = None,
) -> None:
    """Predict for a table, or forecast, with a logged model."""
    with _clean_errors():
        from seqpipe.pipeline import predict_table, print_table, write_table

        if data is None and steps is None:
            raise typer.BadParameter("give DATA, or for a forecast --steps, or both")
        predictions = predict_table(model, data, n_steps=steps, tracking_uri=uri)
        if output is None:
            print_table(_console(), predictions, model)
        else:
            write_table(predictions, output)
            typer.echo(f"{len(predictions)} predictions: {output}")


@app.command()
def generate(
    model: Annotated[str, typer.Argument(help="Model URI printed by a run, or a model folder.")],
    prompt: Annotated[str, typer.Option(help="Text to continue.")] = "",
    length: Annotated[int, typer.Option(min=1, help="Maximum number of tokens to generate.")] = 500,
    temperature: Annotated[
        float, typer.Option(min=0, help="Sampling temperature; below 1, likely tokens become more likely.")
    ] = 1.0,
    top_k: Annotated[int | None, typer.Option(min=1, help="Sample from the k most likely tokens only.")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Sample from the most likely tokens with this total probability only.")
    ] = None,
    stop: Annotated[str | None, typer.Option(help="End the text after the first occurrence of this string.")] = None,
    label: Annotated[str | None, typer.Option(help="Class of the text, if the model has classes.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="Random seed for reproducible text.")] = None,
    uri: Annotated[str | None, typer.Option(help="Tracking store; by default mlruns/mlflow.db.")] = None,
) -> None:
    """Generate text, token by token, with a logged language model."""
    with _clean_errors():
        from seqpipe.pipeline import generate_text

        drawn = {"length": length, "temperature": temperature, "top_k": top_k, "top_p": top_p, "stop": stop}
        _write_pieces(generate_text(model, prompt, label=label, random_state=seed, tracking_uri=uri, **drawn))


plugins_app = typer.Typer(help="List plug-ins and what they offer; check their cells.")
app.add_typer(plugins_app, name="plugins")


@plugins_app.callback(invoke_without_command=True)
def plugins(context: typer.Context) -> None:
    """List plug-ins and what they offer; check their cells."""
    if context.invoked_subcommand is None:
        list_plugins()


@plugins_app.command("list")
def list_plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List cells, engines and tasks with their distributions, and plug-ins that are not in use."""
    with _clean_errors():
        if as_json:
            import json

            typer.echo(json.dumps([dict(zip(_COLUMNS, row)) for row in _plugin_rows()], indent=2))
            return
        from rich.table import Table
        from rich.text import Text

        table = Table(*_COLUMNS)
        for row in _plugin_rows():
            table.add_row(*map(Text, row))
        _console().print(table)


@plugins_app.command("check")
def check_plugin(
    target: Annotated[str, typer.Argument(help="A distribution that offers cells, MODULE, or MODULE:CLASS.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the reports as JSON.")] = False,
) -> None:
    """Check that cells keep the protocol; exit with 1 if a check fails."""
    with _clean_errors():
        import json

        from seqpipe.testing import cells_named, check_cell

        sys.path.insert(0, str(Path.cwd()))  # as python -m does
        cells = cells_named(target)
        reports = [check_cell(cell, raise_exceptions=False) for cell in cells.values()]
        shown = (
            json.dumps([report.as_dict() for report in reports], indent=2) if as_json else "\n".join(map(str, reports))
        )
        typer.echo(shown)
        if not all(report.passed for report in reports):
            raise typer.Exit(_FAILED)


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 5000,
    host: Annotated[str, typer.Option(help="Address to serve on; by default only this machine.")] = "127.0.0.1",
    uri: Annotated[str | None, typer.Option(help="Tracking store; by default mlruns/mlflow.db.")] = None,
) -> None:
    """Browse recorded runs in the MLflow UI."""
    with _clean_errors():
        from seqpipe.tracking import serve, ui_command

        command, environment = ui_command(host=host, port=port, tracking_uri=uri)
        typer.echo(f"http://{host}:{port} (press Ctrl-C to stop)")
        raise typer.Exit(serve(command, environment))


def _check_picture(path: Path, formats: Mapping[str, str]) -> None:
    if path.suffix[1:].lower() not in formats:
        raise SeqpipeError(
            f"{path}: the file extension of the picture must be one of {sorted(formats)}. Got {path.suffix!r} instead."
        )
    if not path.parent.is_dir():
        raise SeqpipeError(f"{path}: the folder {str(path.parent)!r} does not exist. Create it or choose another one.")


def _write_pieces(pieces: Iterable[str]) -> None:
    """Write each piece as soon as it is generated; exit silently if the reader closes the output, as ``head`` does."""
    try:
        for piece in pieces:
            sys.stdout.write(piece)
            sys.stdout.flush()
        typer.echo()
    except KeyboardInterrupt:
        typer.echo()
        raise
    except BrokenPipeError:
        # else Python reports it again when it flushes stdout on exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(_OUTPUT_CLOSED) from None


def _plugin_rows() -> Iterator[tuple[str, ...]]:
    """Yield a row per registered offer, with its summary as the reason, then per plug-in that failed to load."""
    from seqpipe.exceptions import PluginWarning
    from seqpipe.plugins import host

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)  # shown in the table
        found = host()
    for kind, offers in found.registered().items():
        for name in sorted(offers):
            for offer in offers[name]:
                first = offers[name][0]
                used = offer is first and (first.is_builtin or len(offers[name]) == 1)
                reason = offer.spec.summary if used else f"use it as {offer.distribution}:{name}"
                status = "loaded" if used else "shadowed" if first.is_builtin else "ambiguous"
                yield name, kind, offer.distribution, _version(offer.distribution), status, reason
    for plugin in found.statuses:
        reason = plugin.reason or f"imported in {plugin.seconds:.3f} s"
        yield plugin.name, "plug-in", plugin.distribution, plugin.version, plugin.status, reason


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


@contextmanager
def _clean_errors() -> Iterator[None]:
    """Turn any exception into one line on stderr and its exit code."""
    try:
        yield
    except (typer.Exit, typer.BadParameter):
        raise
    except KeyboardInterrupt:
        _fail("stopped", _INTERRUPTED)
    except RecipeError as error:
        _fail(_message(error), _USAGE_ERROR)
    except Exception as error:
        _fail(_message(error), _FAILED)


def _fail(message: str, code: int) -> NoReturn:
    if os.environ.get("SEQPIPE_DEBUG", "0") not in ("", "0"):
        traceback.print_exc()
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def _message(error: Exception) -> str:
    """Return an error's message, with its documentation page, or its type if it is not an error for users."""
    text = " ".join(str(error).split())
    if isinstance(error, SeqpipeError):
        return f"{text} (see {error.page})"
    if isinstance(error, OSError):
        return text
    return f"{type(error).__name__}: {text} (set SEQPIPE_DEBUG=1 for the traceback)"


def _show_warning(message: Warning | str, *where: object, **more: object) -> None:
    typer.echo(f"warning: {' '.join(str(message).split())}", err=True)


def _console(*, quiet: bool = False) -> Console:
    from rich.console import Console

    console = Console(quiet=quiet)
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(quiet=quiet, width=_PLAIN_WIDTH)


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
