"""The verb that runs many experiments: sweep."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from spikedoor.cli.loudness import is_verbose
from spikedoor.cli.output import note, print_json, remark, say
from spikedoor.cli.reading import campaign_of, command_of, sweep_of, to_read

if TYPE_CHECKING:
    from spikedoor.records import Store
    from spikedoor.study import Campaign
    from spikedoor.study.nodes import Node
    from spikedoor.study.schedule import Board

__all__ = [
    "DEFAULT_STORE",
    "File",
    "Json",
    "Settings",
    "StoreFolder",
    "complain_of_failures",
    "pin_name",
    "sweep",
]

SWEEP_EXAMPLES = """\b
Examples:
  spikedoor sweep rates.toml --dry-run
  spikedoor sweep rates.toml --workers 2
  spikedoor sweep rates.toml --status
  spikedoor sweep rates.toml --explain --set seeds=[0]
  spikedoor sweep rates.toml --engine ray --address auto
"""

File = Annotated[Path, typer.Argument(metavar="FILE.toml", help="The sweep.")]
StoreFolder = Annotated[Path, typer.Option("--store", metavar="DIR", help="Folder of all results.")]
Workers = Annotated[
    int, typer.Option(metavar="N", min=0, help="Local processes; 0 for this one alone.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Set a key of the file; may be repeated."),
]
PoolFolds = Annotated[
    bool, typer.Option("--pool-folds", help="Test samples of all folds together.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

DEFAULT_STORE = Path("runs/store")


def sweep(
    file: File,
    store: StoreFolder = DEFAULT_STORE,
    settings: Settings = None,
    workers: Workers = 0,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Where to work.", show_default=True)
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Of a running Ray cluster; without, one starts here."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be made, and how long it takes.")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Say what is done, what failed and why.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say of each stage why it would be made.")
    ] = False,
    json: Json = False,
) -> None:
    """Run many experiments, each stage once.

    What is in the store is not made again, so that a sweep that was stopped goes on where it was,
    and a changed one makes what the change affects. A failure stops only what depends on it.
    """
    start = time.perf_counter()
    if dry_run or status or explain:
        with to_read(store) as opened:
            campaign = campaign_of(file, opened, settings)
            todo = campaign.missing()
            if explain:
                _explain(campaign, todo, json)
            elif status:
                _status(campaign, todo, json)
            else:
                _forecast(campaign, todo, file, workers, json)
        return
    from spikedoor.records import Store
    from spikedoor.study import Campaign
    from spikedoor.study.index import identity

    asked = sweep_of(file, settings)  # before there is a store: a wrong name leaves nothing behind
    campaign = Campaign.of(asked, Store(store))
    campaign.index.write(campaign.store, identity(file, settings or ()))
    todo = campaign.missing()
    from spikedoor.cli.live import live
    from spikedoor.study import engine_of

    threads, cores = campaign.planned[0].experiment.threads or 1, os.cpu_count() or 1
    if workers * threads > max(cores, threads):
        told = f"{workers} workers of {threads} threads" if threads > 1 else f"{workers} workers"
        note(f"{told} on {cores} cores slow each other down")
    with engine_of(campaign, engine, workers, address) as made, live(campaign, todo) as watch:
        board = campaign.run(made, todo, watch, name=pin_name(file.stem, str(file.absolute())))
    seconds = time.perf_counter() - start
    command = command_of("table", file, campaign.store.folder, settings)
    _finish(campaign, board, command, seconds, json)


def pin_name(stem: str, identity: str) -> str:
    """Return a name to pin results under: the stem as far as it may be part of it, and a hash."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", stem).strip("-")[:50]
    return f"{plain or 'sweep'}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def _explain(campaign: Campaign, todo: dict[str, Node], json: bool) -> None:
    from spikedoor.study.forecast import History

    history = History(campaign.store)
    reasons = [(node, history.why(node, todo)) for node in campaign.nodes()]
    if json:
        print_json([{"kind": n.kind, "key": n.key, "why": why} for n, why in reasons])
        return
    for node, why in reasons:
        say(f"{node.kind:9} {node.key[:8]}  {why}")


def _forecast(
    campaign: Campaign, todo: dict[str, Node], file: Path, workers: int, json: bool
) -> None:
    from spikedoor.study.forecast import History

    history = History(campaign.store)
    estimate = history.estimate(todo.values())
    alone, shared = (
        Counter(n.kind for n in nodes) for nodes in (campaign.alone(), campaign.nodes())
    )
    left = Counter(node.kind for node in todo.values())
    if json:
        print_json(
            {
                "experiments": len(campaign.cells),
                "alone": alone,
                "shared": shared,
                "todo": left,
                "seconds": estimate.seconds,
                "unknown": list(estimate.unknown),
            }
        )
        return
    say(f"{file}: {len(campaign.cells)} experiments")
    say(f"{'stage':10}{'if each ran alone':>18}{'shared':>8}{'done':>8}{'to do':>8}")
    for kind in alone:
        done = shared[kind] - left[kind]
        say(f"{kind:10}{alone[kind]:>18}{shared[kind]:>8}{done:>8}{left[kind]:>8}")
    total = [sum(counts.values()) for counts in (alone, shared, left)]
    say(f"{'all':10}{total[0]:>18}{total[1]:>8}{total[1] - total[2]:>8}{total[2]:>8}")
    say(_told(estimate.seconds, estimate.unknown, workers) if todo else "All is done.")


def _told(seconds: float, unknown: tuple[str, ...], workers: int) -> str:
    beside = f", {duration(seconds / workers)} on {workers} workers" if workers > 1 else ""
    told = f"About {duration(seconds)} in one process{beside}, as the like has taken before."
    if not unknown:
        return told
    missing = f"no '{', '.join(unknown)}' has been timed in this store yet"
    return f"{told} Not counted: {missing}." if seconds else f"No estimate: {missing}."


def duration(seconds: float) -> str:
    """Return a time for people: 45 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _status(campaign: Campaign, todo: dict[str, Node], json: bool) -> None:
    found = []
    for planned, cell in zip(campaign.planned, campaign.cells, strict=True):
        missing = [node for node in cell.leaves() if node.key in todo]
        failures = _failures(campaign.store, missing)
        state = "failed" if failures else "missing" if missing else "done"
        found.append((planned, state, failures))
    counts = Counter((planned.part, state) for planned, state, _ in found)
    failures = list(dict.fromkeys(reason for _, _, reasons in found for reason in reasons))
    if json:
        print_json(
            {
                "experiments": [
                    {"part": p.part, **p.axes, "seed": p.experiment.seed, "state": state}
                    for p, state, _ in found
                ],
                "failures": failures,
            }
        )
        return
    parts = list(dict.fromkeys(planned.part for planned in campaign.planned))
    wide = max(10, *(len(part) + 2 for part in parts))
    say(f"{'part':{wide}}{'done':>8}{'failed':>8}{'missing':>8}")
    for part in parts:
        told = "".join(f"{counts[part, state]:>8}" for state in ("done", "failed", "missing"))
        say(f"{part or 'all':{wide}}{told}")
    for reason in failures:
        say(f"failed: {reason}")


def _failures(store: Store, nodes: list[Node]) -> list[str]:
    from spikedoor.study.nodes import walk

    inner = {node.key: node for leaf in nodes for node in walk(leaf) if node.stored}
    noted = ((node, store.failure(key)) for key, node in inner.items() if not store.entry(key))
    return [f"{node.short}: {reason.splitlines()[0]}" for node, reason in noted if reason]


def complain_of_failures(campaign: Campaign, board: Board) -> None:
    """Tell what failed and why, one line each; where all is wanted, with the traceback."""
    for key, reason in board.failed.items():
        kept = campaign.store.failure(key) if is_verbose() else None
        print(f"failed: {board.todo[key].short}: {kept or reason}", file=sys.stderr)


def _finish(campaign: Campaign, board: Board, command: str, seconds: float, json: bool) -> None:
    blocked = board.blocked()
    if json:
        print_json(
            {
                "experiments": len(campaign.cells),
                "made": len(board.done),
                "failed": board.failed,
                "blocked": list(blocked),
                "seconds": seconds,
                "store": str(campaign.store.folder),
            }
        )
    else:
        shared = len(campaign.nodes())
        remark(
            f"{len(campaign.cells)} experiments, {shared} stages: {len(board.done)} made, "
            f"{shared - len(board.todo)} from the store, {len(board.failed)} failed, "
            f"{len(blocked)} not tried for that."
        )
        remark(f"Store: {campaign.store.folder}. Took {seconds:.1f} s.")
        remark(f"See them with: {command}")
    complain_of_failures(campaign, board)
    if board.failed:
        raise typer.Exit(1)
