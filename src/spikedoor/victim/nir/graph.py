"""The graph of a NIR file as plain values, read with limits; nothing in it can run code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.hdf5 import Group, hdf5
from spikedoor.data.zips import most_unpacked
from spikedoor.errors import DataError
from spikedoor.files import read_plain

__all__ = ["Node", "chain"]

_MAX_FILE = 1 << 30
_MAX_NODES = 1024
_ALWAYS = 1 << 26  # bytes a data set may take in any file: neurons of a large map, all alike

FIELDS: dict[str, tuple[str, ...]] = {
    "Input": ("shape",),
    "Output": (),
    "Affine": ("weight", "bias"),
    "Linear": ("weight",),
    "Conv2d": ("weight", "bias", "stride", "padding", "dilation", "groups"),
    "SumPool2d": ("kernel_size", "stride", "padding"),
    "AvgPool2d": ("kernel_size", "stride", "padding"),
    "Flatten": ("start_dim", "end_dim"),
    "IF": ("r", "v_threshold", "v_reset"),
    "LIF": ("tau", "r", "v_leak", "v_threshold", "v_reset"),
}
_OPTIONAL = {"v_reset"}
_WHY = {
    "CubaLIF": "a neuron with a synaptic current of its own",
    "CubaLI": "a neuron with a synaptic current of its own, which never fires",
    "LI": "a neuron that never fires",
    "I": "a neuron that never fires",
    "Threshold": "a neuron without a membrane",
    "NIRGraph": "a graph inside the graph, as recurrent layers are",
}


@dataclass(frozen=True, eq=False)
class Node:
    """One node: its name, its type, and its numbers; ``padding`` may be a word."""

    name: str
    kind: str
    values: dict[str, Any]

    def pair(self, key: str) -> tuple[int, int]:
        """Return a whole number for height and one for width; one number means both.

        Raises:
            DataError: If it is anything else.
        """
        found = np.asarray(self.values[key])
        if found.dtype.kind not in "iu" or found.size not in (1, 2):
            raise DataError(f"node '{self.name}': expected one or two whole numbers as '{key}'")
        first, *_, last = found.ravel().tolist() * 2
        return first, last

    def number(self, key: str) -> int:
        """Return a whole number."""
        first, last = self.pair(key)
        if first != last:
            raise DataError(f"node '{self.name}': expected one whole number as '{key}'")
        return first


def chain(path: str | Path) -> list[Node]:
    """Read the nodes of a file in the order of the signal, from Input to Output.

    Raises:
        DataError: If the file is missing, damaged or beyond its limits, has a node that is not
            known here, or is no plain chain.
    """
    name = str(path)
    try:
        data = read_plain(Path(path), _MAX_FILE, follow=True)
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror or error})") from None
    with hdf5(data, name) as file:
        nodes, edges = _Reader(name, len(data)).graph(file)
    return _ordered(nodes, edges, name)


class _Reader:
    """Reads a graph, and keeps account of the bytes that it takes."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._limit = max(_ALWAYS, most_unpacked(size))
        self._left = max(4 * _ALWAYS, self._limit)

    def graph(self, file: Group) -> tuple[dict[str, Node], list[tuple[str, str]]]:
        """Return nodes by name, and edges."""
        top = file.group("node")
        group = None if top is None else top.group("nodes")
        if top is None or group is None:
            raise DataError(f"{self._name}: expected a NIR file, found no graph in it")
        if len(group) > _MAX_NODES:
            raise DataError(f"{self._name}: expected at most {_MAX_NODES} nodes, got {len(group)}")
        return {key: self._node(group, key) for key in group}, self._edges(top)

    def _edges(self, top: Group) -> list[tuple[str, str]]:
        found = top.texts("edges", f"{self._name}: edges")
        shape = None if found is None else found.shape
        if found is None or found.ndim != 2 or found.shape[1] != 2:
            raise DataError(f"{self._name}: expected edges as pairs of names, got shape {shape}")
        return [(first, second) for first, second in found.tolist()]

    def _node(self, group: Group, key: str) -> Node:
        node = group.group(key)
        kind = None if node is None else node.text("type")
        where = f"{self._name}: node '{key}'"
        if node is None or kind not in FIELDS:
            why = _WHY.get(kind or "", "known are " + ", ".join(FIELDS))
            raise DataError(f"{where} ({kind}) is not supported: {why}")
        return Node(key, kind, {field: self._value(node, field, where) for field in FIELDS[kind]})

    def _value(self, node: Group, field: str, where: str) -> NDArray[Any] | str | None:
        if field == "padding" and node.has_text(field):
            return node.text(field, where)
        values = node.array(field, min(self._limit, self._left), f"{where}, '{field}'")
        if values is None:
            if field in _OPTIONAL:
                return None
            raise DataError(f"{where}: expected '{field}', found none")
        self._left -= max(values.nbytes, 4 * values.size)  # they become float32
        if self._left < 0:
            raise DataError(f"{where}: expected fewer numbers in all nodes, '{field}' is too much")
        if not np.isfinite(values).all():
            raise DataError(f"{where}: expected finite numbers as '{field}'")
        return values


def _ordered(nodes: dict[str, Node], edges: Sequence[tuple[str, str]], name: str) -> list[Node]:
    """Return the nodes from Input to Output.

    Raises:
        DataError: Naming a node where the graph is no plain chain.
    """
    after: dict[str, str] = {}
    before: dict[str, str] = {}
    for first, second in dict.fromkeys(edges):
        for end in (first, second):
            if end not in nodes:
                raise DataError(f"{name}: an edge names '{end}', which is no node")
        for end, there in ((first, after), (second, before)):
            if end in there:
                raise DataError(
                    f"{name}: node '{end}' is where the graph branches, joins or goes back; "
                    "expected a plain chain"
                )
        after[first], before[second] = second, first
    starts = [key for key, node in nodes.items() if node.kind == "Input"]
    if len(starts) != 1:
        raise DataError(f"{name}: expected one Input, found {len(starts)}")
    found, key = [nodes[starts[0]]], starts[0]
    while key in after and len(found) <= len(nodes):
        key = after[key]
        found.append(nodes[key])
    if len(found) != len(nodes) or found[-1].kind != "Output":
        left = ", ".join(sorted(nodes.keys() - {n.name for n in found})[:5])
        raise DataError(
            f"{name}: expected a plain chain from Input to Output, found one that ends at "
            f"'{found[-1].name}'" + (f" and leaves out {left}" if left else "")
        )
    return found
