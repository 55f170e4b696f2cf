"""The command ``seqpipe``.

Exit codes: 0 all went well, 1 it failed, 2 wrong use (a recipe that cannot be run among it), 130 stopped by Ctrl-C,
141 the reader of its output has left, 143 stopped by SIGTERM. Imports wait until a command needs them, so that help is
instant.
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

_FAILED, _WRONG_USE, _INTERRUPTED, _UNREAD = 1, 2, 130, 141
#: Columns of tables where no terminal says how wide it is.
_PLAIN_WIDTH = 120

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
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error was raised.")] = False,
) -> None:
    if debug:
        context.with_resource(variable("SEQPIPE_DEBUG", "1"))
    if version:
        typer.echo(_version("seqpipe"))
        raise typer.Exit


@app.command()
def run(
    recipe: Annotated[str, typer.Argument(help="A YAML file, or the name of a shipped recipe, such as digits.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Change a field, such as search.cv=5."),
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Fits at the same time; -1 for one a core.")] = None,
    device: Annotated[str | None, typer.Option(help="Where to train, such as cpu or cuda.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Train, tune, judge and record what a recipe describes."""
    with _clean_errors():
        from seqpipe.pipeline import run_recipe

        run_recipe(recipe, overrides=overrides or (), jobs=jobs, device=device, console=_console(quiet=quiet))


@app.command()
def compare(
    experiment: Annotated[str | None, typer.Argument(help="Its name; the one that changed last by default.")] = None,
    uri: Annotated[str | None, typer.Option(help="The tracking store; mlruns/mlflow.db by default.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Where to write the picture.")] = None,
    runs: Annotated[
        list[str] | None,
        typer.Option(
            "--run", metavar="ID", help="A search or fit to compare, by the begin of its id; may be repeated."
        ),
    ] = None,
    all_data: Annotated[
        bool, typer.Option("--all-data", help="Compare all searches and fits, also those scored on other data.")
    ] = False,
) -> None:
    """Show what an experiment has tried, as a table and a picture: the searches and fits over the newest one's data."""
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
    model: Annotated[str, typer.Argument(help="A model URI that a run printed, or a model's folder.")],
    data: Annotated[
        Path | None, typer.Argument(help="CSV or Parquet with the recipe's columns, or .txt with texts.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="CSV, Parquet or .txt to write.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Time steps to forecast, instead of DATA.")] = None,
    uri: Annotated[str | None, typer.Option(help="The tracking store; mlruns/mlflow.db by default.")] = None,
) -> None:
    """Predict for a table with a model that a run has logged."""
    with _clean_errors():
        from seqpipe.pipeline import predict_table, print_table, write_table

        if (data is None) == (steps is None):
            raise typer.BadParameter("give either DATA or --steps")
        predictions = predict_table(model, data, n_steps=steps, tracking_uri=uri)
        if output is None:
            print_table(_console(), predictions, model)
        else:
            write_table(predictions, output)
            typer.echo(f"{len(predictions)} predictions: {output}")


@app.command()
def generate(
    model: Annotated[str, typer.Argument(help="A model URI that a run printed, or a model's folder.")],
    prompt: Annotated[str, typer.Option(help="What the text begins with.")] = "",
    length: Annotated[int, typer.Option(min=1, help="Most tokens to add to the prompt.")] = 500,
    temperature: Annotated[float, typer.Option(min=0, help="Below 1 likely tokens become likelier.")] = 1.0,
    top_k: Annotated[int | None, typer.Option(min=1, help="Draw from that many likeliest tokens only.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Draw from the likeliest tokens of this probability.")] = None,
    stop: Annotated[str | None, typer.Option(help="The text ends with the first of these.")] = None,
    label: Annotated[str | None, typer.Option(help="The class of the text, if the model knows classes.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="The same seed, the same text.")] = None,
    uri: Annotated[str | None, typer.Option(help="The tracking store; mlruns/mlflow.db by default.")] = None,
) -> None:
    """Write a text with a language model that a run has logged, token by token."""
    with _clean_errors():
        from seqpipe.pipeline import generate_text

        drawn = {"length": length, "temperature": temperature, "top_k": top_k, "top_p": top_p, "stop": stop}
        _write_pieces(generate_text(model, prompt, label=label, random_state=seed, tracking_uri=uri, **drawn))


@app.command()
def plugins() -> None:
    """List cells, engines and tasks, who offers them, and the plug-ins that could not be used."""
    with _clean_errors():
        from rich.table import Table
        from rich.text import Text

        table = Table("name", "kind", "distribution", "version", "status", "reason")
        for row in _plugin_rows():
            table.add_row(*map(Text, row))
        _console().print(table)


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 5000,
    host: Annotated[str, typer.Option(help="Address to serve on; this machine only by default.")] = "127.0.0.1",
    uri: Annotated[str | None, typer.Option(help="The tracking store; mlruns/mlflow.db by default.")] = None,
) -> None:
    """Browse the recorded runs in MLflow's own interface."""
    with _clean_errors():
        from seqpipe.tracking import serve, ui_command

        command, environment = ui_command(host=host, port=port, tracking_uri=uri)
        typer.echo(f"http://{host}:{port} (Ctrl-C ends it)")
        raise typer.Exit(serve(command, environment))


def _check_picture(path: Path, formats: Mapping[str, str]) -> None:
    if path.suffix[1:].lower() not in formats:
        raise SeqpipeError(
            f"{path}: pictures are written to files that end in {sorted(formats)}. Got {path.suffix!r} instead."
        )
    if not path.parent.is_dir():
        raise SeqpipeError(f"{path}: there is no folder {str(path.parent)!r} to write the picture to.")


def _write_pieces(pieces: Iterable[str]) -> None:
    """Write each piece as soon as it is there; end without a word if the reader has seen enough, as ``head`` has."""
    try:
        for piece in pieces:
            sys.stdout.write(piece)
            sys.stdout.flush()
        typer.echo()
    except KeyboardInterrupt:
        typer.echo()
        raise
    except BrokenPipeError:
        # or Python tells of it once more when it flushes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(_UNREAD) from None


def _plugin_rows() -> Iterator[tuple[str, ...]]:
    """Yield what is offered, with its summary for a reason, then what could not be loaded."""
    from seqpipe.exceptions import PluginWarning
    from seqpipe.plugins import host

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)  # the table tells it
        found = host()
    for kind, offers in found.registered().items():
        for name in sorted(offers):
            for offer in offers[name]:
                status = "loaded" if len(offers[name]) == 1 else "ambiguous"
                reason = offer.spec.summary if status == "loaded" else "several distributions offer this name"
                yield name, kind, offer.distribution, _version(offer.distribution), status, reason
    for plugin in found.statuses:
        if plugin.status != "loaded":
            yield plugin.name, "plug-in", plugin.distribution, plugin.version, plugin.status, plugin.reason


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


@contextmanager
def _clean_errors() -> Iterator[None]:
    """Turn whatever goes wrong into one line on stderr and the exit code that belongs to it."""
    try:
        yield
    except (typer.Exit, typer.BadParameter):
        raise
    except KeyboardInterrupt:
        _fail("stopped", _INTERRUPTED)
    except RecipeError as error:
        _fail(_told(error), _WRONG_USE)
    except Exception as error:
        _fail(_told(error), _FAILED)


def _fail(message: str, code: int) -> NoReturn:
    if os.environ.get("SEQPIPE_DEBUG", "0") not in ("", "0"):
        traceback.print_exc()
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def _told(error: Exception) -> str:
    """Return an error's message, with the page that explains it, or its type where it is not one that speaks to users."""
    text = " ".join(str(error).split())
    if isinstance(error, SeqpipeError):
        return f"{text} (see {error.page})"
    if isinstance(error, OSError):
        return text
    return f"{type(error).__name__}: {text} (SEQPIPE_DEBUG=1 shows where)"


def _show_warning(message: Warning | str, *where: object, **more: object) -> None:
    typer.echo(f"warning: {' '.join(str(message).split())}", err=True)


def _console(*, quiet: bool = False) -> Console:
    from rich.console import Console

    console = Console(quiet=quiet)
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(quiet=quiet, width=_PLAIN_WIDTH)


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
