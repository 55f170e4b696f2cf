"""The commands about recipes, models and runs."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from seqpipe.cli._errors import clean_errors
from seqpipe.cli._limits import bytes_of, limited
from seqpipe.cli._output import check_picture, console, file_name, write_pieces
from seqpipe.process import variable

__all__ = ["compare", "generate", "predict", "promote", "run", "serve", "status", "sync", "ui"]

#: The longest time that the run of an untrusted recipe may take.
_UNTRUSTED_MINUTES = 60.0
#: Number of experiments, the newest ones, whose pages are listed.
_LISTED = 5


def run(
    recipe: Annotated[str, typer.Argument(help="YAML file, or name of a shipped recipe such as digits.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Override a field, such as search.cv=5; may be repeated."),
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Number of parallel fits; -1 uses all cores.")] = None,
    device: Annotated[str | None, typer.Option(help="Device to train on, such as cpu or cuda.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start again if a run of this recipe was interrupted here.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    untrusted: Annotated[
        bool,
        typer.Option(
            "--untrusted", help="The recipe is by others: keep it in its folder, without plug-ins, within limits."
        ),
    ] = False,
    plugins: Annotated[
        str | None, typer.Option(metavar="A,B", help="Load the plug-ins of these distributions only.")
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option(min=0.001, help="Longest time that the run may take; 60 with --untrusted.")
    ] = None,
    max_memory: Annotated[
        float | None,
        typer.Option(
            min=0.1,  # with less, libraries end the process before they can raise an error
            metavar="GB",
            help="Most memory that each process may take beyond what it has at the start, at least 0.1, on Linux; half of what "
            "is available with --untrusted.",
        ),
    ] = None,
) -> None:
    """Train, tune, evaluate and record the model of a recipe."""
    with clean_errors(), nullcontext() if plugins is None else variable("SEQPIPE_PLUGINS", plugins):
        from seqpipe.pipeline import run_recipe

        minutes = _UNTRUSTED_MINUTES if max_minutes is None and untrusted else max_minutes
        with limited(n_bytes=bytes_of(max_memory, untrusted=untrusted), minutes=minutes):
            run_recipe(
                recipe,
                overrides=overrides or (),
                jobs=jobs,
                device=device,
                fresh=fresh,
                console=console(quiet=quiet),
                untrusted=untrusted,
            )


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
    with clean_errors():
        from seqpipe.pipeline import COLUMNS_EXPLAINED, compare_experiment, print_table

        found = compare_experiment(experiment, uri, runs=runs or (), all_data=all_data)
        table = found.table.rename(
            columns={"seconds": "fit s", "compile_seconds": "compile s", "n_parameters": "parameters"}
        )
        print_table(console(), table, found.experiment, caption=COLUMNS_EXPLAINED)
        if found.left_out:
            typer.echo(found.left_out)
        picture = output or Path(f"{file_name(found.experiment)}-compared.png")
        check_picture(picture, found.figure.canvas.get_supported_filetypes())
        found.figure.savefig(picture)
        typer.echo(f"picture: {picture}")


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
    with clean_errors():
        from seqpipe.pipeline import predict_table, print_table, write_table

        if data is None and steps is None:
            raise typer.BadParameter("give DATA, or for a forecast --steps, or both")
        predictions = predict_table(model, data, n_steps=steps, tracking_uri=uri)
        if output is None:
            print_table(console(), predictions, model)
        else:
            write_table(predictions, output)
            typer.echo(f"{len(predictions)} predictions: {output}")


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
    with clean_errors():
        from seqpipe.pipeline import generate_text

        drawn = {"length": length, "temperature": temperature, "top_k": top_k, "top_p": top_p, "stop": stop}
        write_pieces(generate_text(model, prompt, label=label, random_state=seed, tracking_uri=uri, **drawn))


def serve(
    model: Annotated[str, typer.Argument(help="Model URI printed by a run, model folder, or file of seqpipe.save.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve on; 0 for any free one.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to serve on; by default only this machine.")] = "127.0.0.1",
    allowed_hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--allowed-host", metavar="NAME", help="Name by which clients address the server; may be repeated."
        ),
    ] = None,
    max_body: Annotated[int, typer.Option(min=1, max=1024, help="Largest body of a request, in MiB.")] = 16,
    uri: Annotated[str | None, typer.Option(help="Tracking store; by default mlruns/mlflow.db.")] = None,
) -> None:
    """Serve the predictions of a model over HTTP."""
    with clean_errors():
        from seqpipe.pipeline import load_model_to_serve
        from seqpipe.serving import Limits, Server, is_loopback

        limits = Limits(max_body=max_body * 2**20, max_values=max_body * 2**17)
        loaded = load_model_to_serve(model, uri)
        server = Server(loaded, name=model, host=host, port=port, allowed_hosts=allowed_hosts or (), limits=limits)
        if not is_loopback(host):
            typer.echo(
                f"warning: whoever reaches {host} can use the model: the server has no authentication and no encryption.",
                err=True,
            )
        typer.echo(f"{server.url} (press Ctrl-C to stop)")
        sys.stdout.flush()  # a program that has started the server waits for this line
        server.run()


def promote(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="Run, by its id or a prefix of it, model URI, or experiment, whose newest search or fit is meant.",
        ),
    ],
    alias: Annotated[str, typer.Option(help="Alias that the model gets.")] = "champion",
    name: Annotated[
        str | None, typer.Option(help="Name of the registered model; by default that of the experiment.")
    ] = None,
    uri: Annotated[str | None, typer.Option(help="Tracking store; by default mlruns/mlflow.db.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Promote a model that is worse than the present one, or cannot be compared.")
    ] = False,
) -> None:
    """Register the model of a run, describe it in a model card and give it an alias, unless the present one is better."""
    with clean_errors():
        from seqpipe.tracking import promote as promote_model

        done = promote_model(source, alias=alias, name=name, tracking_uri=uri, force=force)
        before = "already" if done.previous == done.version else "now"
        typer.echo(f"{done.name} version {done.version} is {before} {alias!r}: {done.scores}")
        if done.previous not in (None, done.version):
            typer.echo(f"before: version {done.previous}")
        typer.echo(f"model: {done.model_uri} (seqpipe predict and serve take it)")
        typer.echo(f"model card: model_card.md in run {done.run_id}, and the description of the version")


def status(
    uri: Annotated[
        str | None, typer.Option("--uri", "--tracking-uri", help="Tracking store; by default mlruns/mlflow.db.")
    ] = None,
) -> None:
    """Show the searches and fits that are running: fits done, epochs, best so far, and whether the process lives."""
    with clean_errors():
        from seqpipe.tracking import read_status

        running = read_status(uri)
        for fit in running:
            typer.echo("\n".join(fit.lines()))
        if not running:
            typer.echo("Nothing is running.")


def sync(
    uri: Annotated[
        str | None, typer.Option("--uri", "--tracking-uri", help="Tracking store; by default mlruns/mlflow.db.")
    ] = None,
) -> None:
    """Write what earlier processes could not write to the tracking store."""
    with clean_errors():
        from seqpipe.exceptions import TrackingError
        from seqpipe.tracking import sync as sync_store

        replayed = sync_store(uri)
        for line in replayed.lines():
            typer.echo(line)
        if problems := replayed.problems():
            raise TrackingError(" ".join(problems))


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 5000,
    host: Annotated[str, typer.Option(help="Address to serve on; by default only this machine.")] = "127.0.0.1",
    uri: Annotated[str | None, typer.Option(help="Tracking store; by default mlruns/mlflow.db.")] = None,
) -> None:
    """Browse recorded runs in the MLflow UI."""
    with clean_errors():
        from seqpipe.tracking import interface_links, ui_command
        from seqpipe.tracking import serve as serve_interface

        command, environment = ui_command(host=host, port=port, tracking_uri=uri)
        site = f"http://{host}:{port}"
        for experiment, links in islice(interface_links(uri, site=site).items(), _LISTED):
            typer.echo(f"{experiment}\n" + "\n".join(f"  {name}: {address}" for name, address in links.items()))
        typer.echo(f"{site} (press Ctrl-C to stop)")
        raise typer.Exit(serve_interface(command, environment))
