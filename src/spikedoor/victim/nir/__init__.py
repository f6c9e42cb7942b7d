"""Exchange of networks with other libraries and chips by NIR, https://neuroir.org."""

from spikedoor.victim.nir.reading import DT, Reset, Solver, read
from spikedoor.victim.nir.writing import write

__all__ = ["DT", "Reset", "Solver", "read", "write"]
