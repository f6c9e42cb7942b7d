"""The verbs put together, and how the command line ends."""

from __future__ import annotations

import io
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from spikedoor.cli import (
    catalogue,
    defences,
    experiments,
    figures,
    machine,
    new,
    probe,
    report,
    reproduce,
    store,
    sweeps,
    tables,
)
from spikedoor.cli.output import complain
from spikedoor.errors import SpikedoorError

__all__ = ["app", "main"]

_INTERRUPTED = 130
# The base of all that typer raises for wrong usage; it has no public name of its own.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

_EXAMPLES = """\b
Examples:
  spikedoor demo
  spikedoor list triggers
  spikedoor show trigger patch
  spikedoor check experiment.toml
  spikedoor preview experiment.toml --out trigger.png
  spikedoor run experiment.toml --set attack.rate=0.1 --seed 3
  spikedoor probe runs/experiment-1
  spikedoor defend runs/experiment-1 --with fine-pruning
  spikedoor audit runs/experiment-1
  spikedoor sweep rates.toml --workers 2
  spikedoor table rates.toml --mean
  spikedoor figures rates.toml --kind rate
  spikedoor reproduce badnets-pytorch-mnist-short
  spikedoor store size runs/store
  spikedoor new trigger corner-cross --out mine.py
  spikedoor --plugin mine.py preview experiment.toml

\b
Results go to standard output, progress and errors to standard error.
Exit: 0 done, 1 unexpected result, 2 wrong usage, 3 data missing or bad, 130 interrupted.
"""

app = typer.Typer(
    name="spikedoor",
    help="Measure how easily a spiking neural network can be backdoored through its training data.",
    epilog=_EXAMPLES,
    add_completion=False,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

app.command("demo", epilog=experiments.DEMO_EXAMPLES)(experiments.demo)
app.command("run", epilog=experiments.RUN_EXAMPLES)(experiments.run)
app.command("sweep", epilog=sweeps.SWEEP_EXAMPLES)(sweeps.sweep)
app.command("table", epilog=tables.TABLE_EXAMPLES)(tables.table)
app.command("report", epilog=report.REPORT_EXAMPLES)(report.report)
app.command("figures", epilog=figures.FIGURES_EXAMPLES)(figures.figures)
app.command("reproduce", epilog=reproduce.REPRODUCE_EXAMPLES)(reproduce.reproduce)
app.command("check", epilog=experiments.CHECK_EXAMPLES)(experiments.check)
app.command("preview", epilog=experiments.PREVIEW_EXAMPLES)(experiments.preview)
app.command("probe", epilog=probe.PROBE_EXAMPLES)(probe.probe)
app.command("defend", epilog=defences.DEFEND_EXAMPLES)(defences.defend)
app.command("audit", epilog=defences.AUDIT_EXAMPLES)(defences.audit)
app.command("list", epilog=catalogue.LIST_EXAMPLES)(catalogue.list_members)
app.command("show", epilog=catalogue.SHOW_EXAMPLES)(catalogue.show)
app.command("new", epilog=new.NEW_EXAMPLES)(new.new)
app.command("env")(machine.env)
app.add_typer(store.app, name="store")


def _print_version(wanted: bool) -> None:
    if wanted:
        from spikedoor import __version__

        print(f"spikedoor {__version__}")
        raise typer.Exit


_VERSION = typer.Option(
    "--version", callback=_print_version, is_eager=True, help="Print the version."
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    plugin: Annotated[
        list[Path] | None,
        typer.Option(
            "--plugin",
            metavar="FILE",
            help="Python file with components of your own; it is run. Before the verb; repeat.",
        ),
    ] = None,
) -> None:
    if plugin:
        from spikedoor.plugins import add

        for file in plugin:
            add(file)
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: a user's mistake is one line, a fault of ours a traceback."""
    # Threads of OpenMP that spin while they wait slow each other down many times over on a machine
    # that others use as well.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A signal to end unwinds as an exception, so that nothing half-written stays.
    signal.signal(signal.SIGTERM, _end)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(_outcome(arguments))


def _end(number: int, frame: Any) -> None:
    del frame
    raise SystemExit(128 + number)


def _outcome(arguments: list[str] | None) -> int:
    try:
        code = app(arguments, prog_name="spikedoor", standalone_mode=False)
    except SpikedoorError as error:
        return _complain(str(error), error.exit_code)
    except _UsageError as error:
        message = error.format_message().rstrip(".")  # type: ignore[attr-defined]
        if getattr(error, "option_name", None) == "--plugin":
            message += ", it comes before the verb"
        return _complain(f"{message} (see spikedoor --help)", 2)
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    if code == _INTERRUPTED:
        # Python remembers an interrupt inside a string that it executes, as dataclasses do, and
        # would end by the signal at exit although it is handled here; to execute another forgets.
        exec("")
        print("interrupted; nothing is half-written", file=sys.stderr)
    return code if isinstance(code, int) else 0


def _complain(message: str, code: int) -> int:
    complain(message)
    return code
