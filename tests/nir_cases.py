"""NIR files written by hand, so that each can be wrong in its own way."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

__all__ = ["EDGES", "NODES", "nir_file"]

_RNG = np.random.default_rng(0)
NODES: dict[str, dict[str, Any]] = {
    "input": {"type": "Input", "shape": np.array([1, 8, 8])},
    "conv": {
        "type": "Conv2d",
        "weight": _RNG.normal(0, 1, (3, 1, 3, 3)).astype(np.float32),
        "bias": np.zeros(3, np.float32),
        "stride": np.array([1, 1]),
        "padding": "same",
        "dilation": 1,
        "groups": 1,
    },
    "if": {
        "type": "IF",
        "r": np.full((3, 8, 8), 1e4),
        "v_threshold": np.full((3, 8, 8), 0.5),
        "v_reset": np.zeros((3, 8, 8)),
    },
    "pool": {"type": "SumPool2d", "kernel_size": np.array([2, 2]), "stride": 2, "padding": 0},
    "flatten": {"type": "Flatten", "start_dim": 0, "end_dim": -1},
    "affine": {
        "type": "Affine",
        "weight": _RNG.normal(0, 0.04, (4, 48)).astype(np.float32),
        "bias": np.array([0.1, 0.2, 0.3, 0.4], np.float32),
    },
    "lif": {
        "type": "LIF",
        "tau": np.full(4, 3e-4),
        "r": np.full(4, 3.0),
        "v_leak": np.zeros(4),
        "v_threshold": np.ones(4),
    },
    "output": {"type": "Output", "shape": np.array([4])},
}
EDGES = list(zip(NODES, list(NODES)[1:], strict=False))


def nir_file(
    nodes: dict[str, dict[str, Any]] = NODES,
    edges: list[tuple[str, str]] = EDGES,
    change: Callable[[h5py.File], None] | None = None,
) -> bytes:
    """Write a graph as the nir library does, then let someone change the file."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        top = file.create_group("node")
        top.create_dataset(
            "edges", data=np.array(edges, dtype=object).reshape(-1, 2), dtype=h5py.string_dtype()
        )
        group = top.create_group("nodes")
        for name, values in nodes.items():
            inner = group.create_group(name)
            for key, value in values.items():
                packing = {"compression": "gzip"} if getattr(value, "shape", ()) else {}
                inner.create_dataset(key, data=value, **packing)
        if change is not None:
            change(file)
    return buffer.getvalue()
