"""A network of SpikingJelly or snnTorch as a victim; neither library is imported for it."""

from spikedoor.victim.foreign.module import from_module

__all__ = ["from_module"]
