"""The verbs put together, and how the command line ends."""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
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
    repair,
    report,
    reproduce,
    store,
    sweeps,
    tables,
)
from spikedoor.cli.everywhere import Plugin, Quiet, Verbose, everywhere, heed
from spikedoor.cli.loudness import is_verbose, loudness
from spikedoor.cli.output import complain, until_nobody_reads
from spikedoor.errors import SpikedoorError

__all__ = ["app", "main"]

_INTERRUPTED = 130
# The base of all that typer raises for wrong usage; it has no public name of its own.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

_EPILOG = """\b
Examples:
  spikedoor demo
  spikedoor run experiment.toml --set attack.rate=0.1 --seed 3

\b
Results go to standard output, progress and errors to standard error.
Exit: 0 done, 1 not as hoped, 2 wrong usage, 3 bad data, 130 interrupted.
"""

app = typer.Typer(
    name="spikedoor",
    help="Measure how easily training data can backdoor a spiking neural network.",
    epilog=_EPILOG,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

for _name, _verb, _examples in (
    ("demo", experiments.demo, experiments.DEMO_EXAMPLES),
    ("run", experiments.run, experiments.RUN_EXAMPLES),
    ("sweep", sweeps.sweep, sweeps.SWEEP_EXAMPLES),
    ("table", tables.table, tables.TABLE_EXAMPLES),
    ("report", report.report, report.REPORT_EXAMPLES),
    ("figures", figures.figures, figures.FIGURES_EXAMPLES),
    ("reproduce", reproduce.reproduce, reproduce.REPRODUCE_EXAMPLES),
    ("check", experiments.check, experiments.CHECK_EXAMPLES),
    ("preview", experiments.preview, experiments.PREVIEW_EXAMPLES),
    ("probe", probe.probe, probe.PROBE_EXAMPLES),
    ("defend", defences.defend, defences.DEFEND_EXAMPLES),
    ("audit", defences.audit, defences.AUDIT_EXAMPLES),
    ("repair", repair.repair, repair.REPAIR_EXAMPLES),
    ("list", catalogue.list_members, catalogue.LIST_EXAMPLES),
    ("show", catalogue.show, catalogue.SHOW_EXAMPLES),
    ("new", new.new, new.NEW_EXAMPLES),
    ("env", machine.env, machine.ENV_EXAMPLES),
):
    app.command(_name, epilog=_examples)(everywhere(_verb))
app.add_typer(store.app, name="store")


def _print_version(wanted: bool) -> None:
    if wanted:
        from spikedoor import __version__

        print(f"spikedoor {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    plugin: Plugin = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    heed(quiet, verbose, plugin)
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
    with loudness(), until_nobody_reads():
        sys.exit(_outcome(arguments))


def _end(number: int, frame: Any) -> None:
    del frame
    raise SystemExit(128 + number)


def _outcome(arguments: list[str] | None) -> int:
    try:
        code = app(arguments, prog_name="spikedoor", standalone_mode=False)
    except SpikedoorError as error:
        if is_verbose():
            traceback.print_exc()
        return _complain(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        told = "torch is not installed: pip install torch; report, figures and table do without"
        return _complain(told, 1)
    except _UsageError as error:
        message = error.format_message().rstrip(".")  # type: ignore[attr-defined]
        context = getattr(error, "ctx", None)
        verb = context.command_path if context else "spikedoor"
        return _complain(f"{message} (see {verb} --help)", 2)
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
