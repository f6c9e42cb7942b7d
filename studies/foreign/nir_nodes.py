"""What exporters leave undone, and without which nir 1.0.8 does not write their graphs."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["write"]


@torch.no_grad()
def write(graph: nir.NIRGraph, net: nn.Module, x: Tensor, path: Path) -> None:
    """Write the graph of a chain of layers.

    Convolutions and flattening are told the size of their input, an average pool that is not there
    is put there, and neurons with bare numbers get one for each neuron.

    Args:
        graph: What the exporter made.
        net: The layers, named as the nodes are.
        x: An input of the first, [B, C, H, W].
        path: File to write.
    """
    for name, module in net.named_children():
        size = np.array(x.shape[1:])
        node = graph.nodes[name]
        if isinstance(node, nir.Conv2d):
            node.input_shape = x.shape[2], x.shape[3]
        elif isinstance(module, nn.AvgPool2d):
            sides = np.array([module.kernel_size] * 2)
            graph.nodes[name] = nir.AvgPool2d(sides, sides, np.zeros(2, int))
        elif isinstance(module, nn.Flatten):
            graph.nodes[name] = nir.Flatten({"input": size}, start_dim=0, end_dim=-1)
        else:
            for key, value in vars(node).items():
                if getattr(value, "shape", None) == ():
                    setattr(node, key, np.full(size, float(value)))
        answer = module(x)
        x = answer[0] if isinstance(answer, tuple) else answer
    nir.write(path, graph)
