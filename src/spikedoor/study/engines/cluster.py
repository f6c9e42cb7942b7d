"""A Ray cluster: the same work on several machines that share the store's folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from spikedoor.errors import ConfigError
from spikedoor.records import Store
from spikedoor.study.engines.base import Engine, Outcome, carry_out
from spikedoor.study.nodes import Node
from spikedoor.study.workshop import Workshop

__all__ = ["Cluster"]

_HELD = 16
_RETRIES = 5

_workshops: dict[str, Workshop] = {}  # one for each process of the cluster, so that data stay read


class Cluster(Engine):
    """Works on a Ray cluster.

    A node takes as many CPUs as it has threads, and one GPU if it runs on one. Work on a machine
    that is lost is done again on another.

    Args:
        folder: Folder of the store, the same on every machine (a shared file system).
        address: Of a running cluster, or "auto"; None starts one on this machine.

    Raises:
        ConfigError: If Ray is not installed, or there is no cluster at the address.
    """

    def __init__(self, folder: Path, address: str | None = None) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise ConfigError(
                "engine 'ray': Ray is not installed; pip install 'spikedoor[ray]'"
            ) from None
        self._ray: Any = ray
        self._started = not ray.is_initialized()
        if self._started:
            try:
                ray.init(address=address, include_dashboard=False, log_to_driver=False)
            except ConnectionError as error:
                raise ConfigError(f"engine 'ray': no cluster at '{address}' ({error})") from None
        self.slots = max(int(ray.cluster_resources().get("CPU", 1)), 1)
        self._folder = str(folder.resolve())
        self._task: Any = ray.remote(_task)
        self._running: dict[Any, Node] = {}

    def submit(self, node: Node) -> None:
        config = node.config
        task = self._task.options(
            name=node.short,
            num_cpus=config.get("threads", 1),
            num_gpus=int(config.get("device") == "cuda"),
            max_retries=_RETRIES,
        )
        self._running[task.remote(node, self._folder)] = node

    def wait(self, seconds: float) -> list[Outcome]:
        ready, _ = self._ray.wait(list(self._running), timeout=seconds)
        return [self._outcome(reference, self._running.pop(reference)) for reference in ready]

    def _outcome(self, reference: Any, node: Node) -> Outcome:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())[:300]
            return Outcome(node.key, "failed", f"lost on the cluster: {reason}")

    def close(self) -> None:
        for reference in self._running:
            self._ray.cancel(reference, force=True)
        self._running.clear()
        if self._started:
            self._ray.shutdown()


def _task(node: Node, folder: str) -> Outcome:
    if folder not in _workshops:
        _workshops[folder] = Workshop(Store(folder), hold=_HELD)
    return carry_out(node, _workshops[folder])
