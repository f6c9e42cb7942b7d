"""The verbs about the store of results: store size, store verify, store gc."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikedoor.cli.everywhere import everywhere
from spikedoor.cli.output import print_json, say

if TYPE_CHECKING:
    from spikedoor.records import Store

__all__ = ["app"]

STORE_EXAMPLES = """\b
Examples:
  spikedoor store size runs/store
  spikedoor store verify runs/store
  spikedoor store gc runs/store
"""
SIZE_EXAMPLES = """\b
Examples:
  spikedoor store size runs/store
  spikedoor store size runs/store --json
"""
VERIFY_EXAMPLES = """\b
Examples:
  spikedoor store verify runs/store
  spikedoor store verify runs/store --repair

\b
Exit: 0 all whole, 1 damage found, 3 no store there.
"""
GC_EXAMPLES = """\b
Examples:
  spikedoor store gc runs/store
  spikedoor store gc runs/store --delete
  spikedoor store gc runs/store --delete --grace 0
"""
_TITLES = {
    "entry": "entries that nothing pinned needs",
    "leftover": "left by interrupted processes",
    "aside": "damaged entries set aside",
    "claim": "locks that nobody holds",
    "failure": "failures of what is not pinned",
    "index": "indexes of sweeps that are not kept",
}

app = typer.Typer(
    help="Look after a store, the folder where sweeps keep results.",
    epilog=STORE_EXAMPLES,
    rich_markup_mode=None,
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The store.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command(epilog=SIZE_EXAMPLES)
@everywhere
def size(folder: Folder, json: Json = False) -> None:
    """Tell how many results there are and what room they take."""
    from spikedoor.records import Usage, sizes

    found = sizes(_open(folder))
    total = sum(found.values(), Usage())
    if json:
        kinds = {kind: {"count": u.count, "bytes": u.bytes} for kind, u in found.items()}
        print_json({"kinds": kinds, "total": {"count": total.count, "bytes": total.bytes}})
        return
    for kind, usage in [*found.items(), ("total", total)]:
        say(_row(kind, usage.count, usage.bytes, max(map(len, [*found, "total"]))))


@app.command(epilog=VERIFY_EXAMPLES)
@everywhere
def verify(
    folder: Folder,
    repair: Annotated[
        bool, typer.Option("--repair", help="Move damaged results aside, to be made again.")
    ] = False,
    json: Json = False,
) -> None:
    """Check every result against its checksums."""
    from spikedoor.records import verify

    store = _open(folder)
    found = verify(store, repair)
    if json:
        print_json([{"key": one.key, "kind": one.kind, "problem": one.problem} for one in found])
    elif found:
        for one in found:
            say(f"{one.key[:12]}  {one.kind or 'unknown'}  {one.problem}")
        done = f"; see {folder / 'aside'}" if repair else "; --repair moves them aside"
        say(f"damaged: {len(found)}{done}")
    else:
        say("all whole")
    if found:
        raise typer.Exit(1)


@app.command("gc", epilog=GC_EXAMPLES)
@everywhere
def collect(
    folder: Folder,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete it; without this, only tell.")
    ] = False,
    grace: Annotated[
        float, typer.Option(metavar="HOURS", min=0, help="Leave alone what is newer than this.")
    ] = 1.0,
    json: Json = False,
) -> None:
    """Delete what is no longer wanted, or tell what would go.

    Wanted is what a sweep has pinned (DIR/pins has a file for each; remove it to let go), what is
    new, and what these were made from. The index of a sweep goes with the first of its results.
    """
    from spikedoor.records import Usage, gc

    found = gc(_open(folder), dry_run=not delete, grace=grace * 3600)
    if json:
        items = [
            {"path": str(one.path.relative_to(folder)), "what": one.what, "bytes": one.bytes}
            for one in found
        ]
        print_json({"deleted": delete, "bytes": sum(one.bytes for one in found), "items": items})
        return
    sums: dict[str, Usage] = {}
    for one in found:
        title = _TITLES[one.what]
        sums[title] = sums.get(title, Usage()) + Usage(1, one.bytes)
    for title, usage in [*sums.items(), ("total", sum(sums.values(), Usage()))]:
        say(_row(title, usage.count, usage.bytes, max(map(len, [*sums, "total"]))))
    say("Deleted." if delete else "Dry run, nothing was deleted; --delete does it.")


def _open(folder: Path) -> Store:
    from spikedoor.records import Store

    return Store(folder, create=False)


def _row(title: str, count: int, size: int, width: int) -> str:
    from rich.filesize import decimal

    return f"{title:{width}}  {count:6,}  {decimal(size):>10}"
