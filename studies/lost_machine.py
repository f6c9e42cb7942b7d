"""A sweep on a Ray cluster of two machines, one of which is lost in the middle.

    python studies/lost_machine.py

Starts a local cluster of two node processes (needs `pip install spikedoor[ray]`), runs a sweep on
it, kills the second node while it works, and compares the table with that of one process.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray  # pyright: ignore[reportMissingImports]
from ray.cluster_utils import Cluster as LocalCluster  # pyright: ignore[reportMissingImports]
from survive import SWEEP

from spikedoor.records import Store, verify
from spikedoor.study import Campaign, engine_of, load_sweep
from spikedoor.study.schedule import Board


def rows(campaign: Campaign) -> list[dict]:
    """Return the table without the seconds."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in campaign.rows()]


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    (folder / "sweep.toml").write_text(SWEEP)
    sweep = load_sweep(folder / "sweep.toml")
    alone = Campaign.of(sweep, Store(folder / "alone"))
    with engine_of(alone) as engine:
        alone.run(engine)
    print(f"one process: {len(alone.nodes())} stages")

    nodes = LocalCluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = nodes.add_node(num_cpus=1)
    ray.init(address=nodes.address, log_to_driver=False)
    print(f"cluster: {len([n for n in ray.nodes() if n['Alive']])} nodes")
    made = Campaign.of(sweep, Store(folder / "ray"))
    lost: list[float] = []
    start = time.monotonic()

    def watch(board: Board) -> None:
        if not lost and len(board.done) > len(board.todo) // 4 and len(board.running) > 1:
            lost.append(time.monotonic() - start)
            running = ", ".join(board.todo[key].short for key in board.running)
            print(f"killing the second node after {lost[0]:.1f} s; running: {running}")
            nodes.remove_node(second, allow_graceful=False)

    with engine_of(made, "ray", address="auto") as engine:
        board = made.run(engine, watch=watch)
    print(f"after: {len([n for n in ray.nodes() if n['Alive']])} node, {len(board.done)} made, "
          f"{len(board.failed)} failed")  # fmt: skip
    same = rows(made) == rows(alone)
    print(f"table: {len(made.rows())} rows, {'identical' if same else 'DIFFERENT'}")
    print(f"store: {len(verify(made.store))} damaged")
    ray.shutdown()
    nodes.shutdown()
    if not (same and lost) or board.failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
