"""The commands ``seqpipe plugins …``: what is installed, and whether it keeps the protocols."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqpipe.cli._errors import FAILED, clean_errors
from seqpipe.cli._output import console

if TYPE_CHECKING:
    from seqpipe.plugins import PluginHost, PluginStatus, SourceOffers

__all__ = ["plugins_app"]

plugins_app = typer.Typer(help="List plug-ins and what they offer; check what they offer.")


@plugins_app.callback(invoke_without_command=True)
def plugins(context: typer.Context) -> None:
    """List plug-ins and what they offer; check what they offer."""
    if context.invoked_subcommand is None:
        list_plugins()


@plugins_app.command("list")
def list_plugins(
    hooks: Annotated[bool, typer.Option("--hooks", help="List the hooks, and who implements them.")] = False,
    times: Annotated[
        bool, typer.Option("--times", help="Import every plug-in; show the time that takes, and errors.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List names by kind with their distributions, and the status of plug-ins; read from their source, without imports."""
    with clean_errors():
        from seqpipe.exceptions import PluginWarning
        from seqpipe.plugins import host

        found = host()
        if times:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PluginWarning)  # shown in the table
                found.load_all()
        rows = list(_hook_rows(found)) if hooks else [row.as_dict(times) for row in _rows(found)]
        if as_json:
            typer.echo(json.dumps(rows, indent=2))
        else:
            _print(rows)


@plugins_app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Name of the distribution, such as acme-cells.")],
    kind: Annotated[str, typer.Option(help="What it offers: cell, engine, reader, task or wrapper.")],
    offered: Annotated[
        str | None, typer.Option("--offers", help="The name that users write; by default that of the distribution.")
    ] = None,
    author: Annotated[str, typer.Option(help="Author, for licence and metadata.")] = "",
) -> None:
    """Write a new plug-in in a folder of its name: it installs, passes its tests and checks, and has an example."""
    with clean_errors():
        from seqpipe.plugins import new_plugin

        folder = new_plugin(name, kind, offered=offered, author=author)
        typer.echo(f"{folder}: next: cd {folder}; pip install -e '.[test]'; pytest; seqpipe run example.yaml")


@plugins_app.command("check")
def check_plugin(
    target: Annotated[str, typer.Argument(help="DISTRIBUTION[:NAME] or MODULE[:CLASS].")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the reports as JSON.")] = False,
) -> None:
    """Check cells, wrappers, tasks and engines of a distribution or module; exit with 1 if a check fails."""
    with clean_errors():
        from seqpipe.testing import targets_named

        sys.path.insert(0, str(Path.cwd()))  # as python -m does
        reports = [each.check() for each in targets_named(target)]
        shown = (
            json.dumps([report.as_dict() for report in reports], indent=2) if as_json else "\n".join(map(str, reports))
        )
        typer.echo(shown)
        if not all(report.passed for report in reports):
            raise typer.Exit(FAILED)


@dataclass(frozen=True)
class _Row:
    name: str
    kind: str
    distribution: str
    version: str
    status: str
    reason: str
    seconds: float = 0.0

    def as_dict(self, with_seconds: bool) -> dict[str, object]:
        """Return the cells by column."""
        cells = asdict(self)
        if not with_seconds:
            del cells["seconds"]
        return cells


def _rows(host: PluginHost) -> Iterator[_Row]:
    """Yield a row per name, then one per plug-in."""
    from seqpipe.plugins import KINDS

    sources = host.sources
    for kind in KINDS:
        yield from sorted(_of_kind(kind, host.own_source, sources), key=lambda row: (row.name, row.distribution))
    for status in host.statuses:
        unread = ", ".join(sorted(_unread(status, sources)))
        reason = status.reason or (f"more {unread} names are known once it is imported" if unread else "")
        yield _Row(
            status.name, "plug-in", status.distribution, status.version, status.status, reason, round(status.seconds, 3)
        )


def _of_kind(kind: str, own: SourceOffers, sources: Iterable[tuple[PluginStatus, SourceOffers]]) -> Iterator[_Row]:
    owners: dict[str, list[str]] = {offer.name: ["seqpipe"] for offer in own.names.get(kind, ())}
    usable = [(status, source) for status, source in sources if status.is_usable]
    for status, source in usable:
        for offer in source.names.get(kind, ()):
            owners.setdefault(offer.name, []).append(status.distribution)
    for offer in own.names.get(kind, ()):
        yield _Row(offer.name, kind, "seqpipe", version("seqpipe"), "built-in", offer.summary)
    for status, source in usable:
        for offer in source.names.get(kind, ()):
            first, *others = owners[offer.name]
            contested = "shadowed" if first == "seqpipe" else "ambiguous" if others else ""
            reason = f"use it as {status.distribution}:{offer.name}" if contested else offer.summary
            yield _Row(offer.name, kind, status.distribution, status.version, contested or status.status, reason)


def _unread(status: PluginStatus, sources: Iterable[tuple[PluginStatus, SourceOffers]]) -> Iterator[str]:
    """Yield the kinds of which a plug-in that is not imported may offer names that its source does not say."""
    for other, source in sources:
        if other == status and status.status == "installed":
            yield from source.open_kinds


def _hook_rows(host: PluginHost) -> Iterator[dict[str, object]]:
    """Yield a row per hook."""
    from seqpipe import hookspecs
    from seqpipe.plugins import KINDS

    for kind in KINDS.values():
        who = ["seqpipe"] if kind.name in host.own_source.kinds else []
        who += [status.distribution for status, source in host.sources if kind.name in source.kinds]
        purpose, *_ = (getattr(hookspecs, kind.hook).__doc__ or "").split("\n")
        yield {"hook": kind.hook, "record": kind.spec.__name__, "purpose": purpose, "implemented by": ", ".join(who)}


def _print(rows: list[dict[str, object]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row.values()))
    console().print(table)
