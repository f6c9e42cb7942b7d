"""Where results come from: memory, the store, or the work itself, in this order."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from typing import Any

from spikedoor.data import DataSource
from spikedoor.data.base import Dataset
from spikedoor.errors import DataError
from spikedoor.records import Store, describe
from spikedoor.study.nodes import Node
from spikedoor.study.work import make, packed, unpacked

__all__ = ["Workshop"]

_log = logging.getLogger(__name__)


class Workshop:
    """Makes the results of nodes, each once.

    Args:
        store: Where results are kept beyond this process; None for memory alone.
        hold: How many results to keep in memory besides data sets; None for all.
    """

    def __init__(self, store: Store | None = None, hold: int | None = None) -> None:
        self.store = store
        self._hold = hold
        self._data: dict[str, Dataset] = {}
        self._results: OrderedDict[str, Any] = OrderedDict()
        self._environment: dict[str, Any] | None = None

    def dataset(self, source: DataSource) -> Dataset:
        """Return a data set, read once."""
        key = source.model_dump_json()
        if key not in self._data:
            start = time.perf_counter()
            self._data[key] = source.load()
            _log.debug("data %s: read in %.2f s", source.name, time.perf_counter() - start)
        return self._data[key]

    def result(self, node: Node) -> Any:
        """Return the result of a node; what is missing on the way to it is made.

        Raises:
            SpikedoorError: Whatever making it raises.
        """
        if node.kind == "data":
            return self._dataset_of(node)
        if node.key in self._results:
            self._results.move_to_end(node.key)
            return self._results[node.key]
        found = self._kept(node)
        if found is None:
            found = self._made(node)
        self._results[node.key] = found
        if self._hold is not None and len(self._results) > self._hold:
            self._results.popitem(last=False)
        return found

    def _dataset_of(self, node: Node) -> Dataset:
        data = self.dataset(DataSource.from_dict({**node.config["source"], **node.means}))
        if data.checksums != node.config["checksums"]:
            raise DataError(f"{data.name}: the files have changed since this was planned")
        return data

    def _kept(self, node: Node) -> Any:
        found = self.store.read(node.key) if self.store else None
        if self.store is None or found is None:
            return None
        try:
            result = unpacked(node, found[1])
        except DataError as error:
            self.store.set_aside(node.key, str(error))
            return None
        _log.debug("%s: from the store", node.short)
        return result

    def _made(self, node: Node) -> Any:
        inputs = {name: self.result(inner) for name, inner in node.inputs.items()}
        start = time.perf_counter()
        made = make(node, inputs)
        seconds = time.perf_counter() - start
        _log.debug("%s: made in %.2f s", node.short, seconds)
        if self.store is not None:
            if self._environment is None:
                self._environment = describe()
            self.store.write(
                node.key,
                node.kind,
                packed(node, made),
                config=node.identity(),
                inputs={name: inner.key for name, inner in node.inputs.items() if inner.stored},
                seconds=seconds,
                environment=self._environment,
            )
        return made
