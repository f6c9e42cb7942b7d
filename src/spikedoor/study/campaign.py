"""A sweep on a store: what it needs, what is there, and the work in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from spikedoor.errors import ConfigError
from spikedoor.records import Store
from spikedoor.study.cell import Cell, cell, with_shared_simulations
from spikedoor.study.engines import Engine, InProcess, Workers
from spikedoor.study.engines.cluster import Cluster
from spikedoor.study.index import Index
from spikedoor.study.nodes import Node, walk
from spikedoor.study.results import rows
from spikedoor.study.schedule import Board, missing, work_off
from spikedoor.study.sweep import Planned, Sweep
from spikedoor.study.workshop import Workshop

__all__ = ["Campaign", "EngineName", "engine_of"]

EngineName = Literal["local", "ray"]


@dataclass(frozen=True, eq=False)
class Campaign:
    """The experiments of a sweep as one graph.

    Args:
        planned: The experiments.
        cells: Their graphs, in the same order; equal nodes are one node.
        workshop: With the store.
    """

    planned: list[Planned]
    cells: list[Cell]
    workshop: Workshop

    @classmethod
    def of(cls, sweep: Sweep, store: Store) -> Campaign:
        """Plan a sweep; its data sets are read, since what they hold is part of every key.

        Raises:
            ConfigError: If an experiment of it is not valid.
            DataError: If a data set is missing or bad.
        """
        workshop = Workshop(store, hold=16)
        planned = sweep.experiments()
        cells = [cell(one.experiment, workshop.dataset(one.experiment.data)) for one in planned]
        return cls(planned, with_shared_simulations(cells), workshop)

    @property
    def store(self) -> Store:
        """Where the results are."""
        assert self.workshop.store is not None
        return self.workshop.store

    @cached_property
    def index(self) -> Index:
        """What its rows are read from, which can be kept in the store; see `Index.write`."""
        return Index.of(self.planned, self.cells, self.workshop.dataset)

    def leaves(self) -> list[Node]:
        """Return the nodes that the table is read from, each once."""
        return list({node.key: node for one in self.cells for node in one.leaves()}.values())

    def nodes(self) -> list[Node]:
        """Return all nodes whose results are stored, inputs first, each once."""
        found: dict[str, Node] = {}
        for leaf in self.leaves():
            for node in walk(leaf):
                if node.stored:
                    found.setdefault(node.key, node)
        return list(found.values())

    def alone(self) -> list[Node]:
        """Return the nodes that would be made if every experiment were run by itself."""
        found: list[Node] = []
        for one in self.cells:
            seen: dict[str, Node] = {}
            for leaf in one.leaves():
                seen |= {node.key: node for node in walk(leaf) if node.stored}
            found += seen.values()
        return found

    def missing(self) -> dict[str, Node]:
        """Return what must be made; see `schedule.missing`."""
        return missing(self.leaves(), self.store)

    def rows(self, every_step: bool = False, pool_folds: bool = False) -> list[dict[str, Any]]:
        """Return the results; see `results.rows`."""
        return rows(self.index, self.store, every_step, pool_folds)

    def run(
        self,
        engine: Engine,
        todo: dict[str, Node] | None = None,
        watch: Callable[[Board], None] = lambda board: None,
        name: str | None = None,
    ) -> Board:
        """Make what is missing.

        Args:
            engine: Does the work; it is left open.
            todo: From `missing`, where it is known already.
            watch: Is shown the board as things change.
            name: Under which the results are pinned in the store, so that they are kept.

        Raises:
            OutputError: If the store cannot be written to.
        """
        if name is not None:
            self.store.pin(name, [node.key for node in self.nodes()])
        return work_off(self.missing() if todo is None else todo, self.store, engine, watch)


def engine_of(
    campaign: Campaign, name: EngineName = "local", workers: int = 0, address: str | None = None
) -> Engine:
    """Return an engine for a campaign.

    Args:
        campaign: The campaign.
        name: "local", or "ray".
        workers: Local processes; 0 for none but this one.
        address: Of a running Ray cluster; None starts one on this machine.

    Raises:
        ConfigError: If settings do not go together, or Ray is not installed.
    """
    if name == "ray":
        if workers:
            raise ConfigError("--workers: Ray counts its workers by itself; leave it out")
        return Cluster(campaign.store.folder, address)
    if address is not None:
        raise ConfigError("--address: expected only with --engine ray")
    if workers:
        return Workers(campaign.store.folder, workers)
    return InProcess(campaign.workshop)
