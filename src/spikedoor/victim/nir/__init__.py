"""Exchange of networks with other libraries and chips by NIR, https://neuroir.org."""

from spikedoor.victim.nir.reading import read

__all__ = ["read"]
