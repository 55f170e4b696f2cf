"""The application: seqpipe's own commands, and those of plug-ins."""

from __future__ import annotations

import warnings
from importlib import metadata
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from seqpipe.cli import _commands
from seqpipe.cli._data import data_app
from seqpipe.cli._errors import clean_errors, show_warning
from seqpipe.cli._plugins import plugins_app
from seqpipe.exceptions import PluginWarning, UnknownNameError
from seqpipe.process import command_line, variable

__all__ = ["app", "main"]


class _Commands(TyperGroup):
    """The commands of seqpipe, and those of plug-ins, which are imported when they are called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands; those of plug-ins are read from their source."""
        return [*super().list_commands(ctx), *sorted(set(_offered(ctx)) - set(self.commands))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command for the list of commands: of a plug-in's, name and summary."""
        found = super().get_command(ctx, cmd_name)
        summary = None if found is not None else _offered(ctx).get(cmd_name)
        return found if summary is None else TyperCommand(cmd_name, short_help=summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command to call, with its name and arguments."""
        if args[0] not in self.commands and not ctx.params.get("no_plugins"):
            with clean_errors():
                if (found := _plugged(args[0])) is not None:
                    return args[0], found, args[1:]
        return super().resolve_command(ctx, args)


def _offered(ctx: Any) -> dict[str, str]:
    """Return the summaries of the commands of plug-ins by name."""
    from seqpipe.plugins import host

    if ctx.params.get("no_plugins"):
        return {}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)  # "seqpipe plugins" shows them
        sources = [source for status, source in host().sources if status.is_usable]
    offers = [offer for source in sources for offer in source.names.get("command", ())]
    return {offer.name.replace("_", "-"): offer.summary for offer in offers}


def _plugged(name: str) -> Any:
    """Return the command of a plug-in, whose errors are shown as those of seqpipe's own."""
    from seqpipe.plugins import host

    try:
        spec = host().find("command", name.replace("-", "_"), parameter="The command").spec
    except UnknownNameError:
        return None
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command(name, help=spec.factory.__doc__ or spec.summary)(spec.factory)
    command: Any = typer.main.get_command(alone)
    call = command.callback

    def run(*args: Any, **options: Any) -> Any:
        with clean_errors():
            return call(*args, **options) if call is not None else None

    command.callback = run
    return command


app = typer.Typer(
    cls=_Commands,
    help="Train, tune, track and compare recurrent models.",
    epilog="Documentation: docs/index.md; commands in docs/command-line.md, recipes in docs/recipes.md.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _command in (
    _commands.run,
    _commands.compare,
    _commands.predict,
    _commands.generate,
    _commands.serve,
    _commands.promote,
):
    app.command()(_command)
app.add_typer(data_app, name="data")
app.add_typer(plugins_app, name="plugins")
app.command()(_commands.ui)
app.command()(_commands.status)
app.command()(_commands.sync)


def main() -> None:
    """Run the command line."""
    with command_line(show_warning):
        app()


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    no_plugins: Annotated[bool, typer.Option("--no-plugins", help="Load no plug-ins.")] = False,
) -> None:
    if debug:
        context.with_resource(variable("SEQPIPE_DEBUG", "1"))
    if no_plugins:
        context.with_resource(variable("SEQPIPE_PLUGINS", ""))
    if show_version:
        typer.echo(metadata.version("seqpipe"))
        raise typer.Exit
