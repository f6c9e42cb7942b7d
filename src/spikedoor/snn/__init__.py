"""Spiking neurons and networks, and the kernels that make them fast on a CPU."""

from spikedoor.snn.allocator import keep_memory

keep_memory()
