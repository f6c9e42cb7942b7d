"""From samples to an input current at each step."""

from spikedoor.snn.encoding.base import ENCODINGS, Encoding, to_floats
from spikedoor.snn.encoding.frames import Frames
from spikedoor.snn.encoding.images import Direct, Poisson

__all__ = ["ENCODINGS", "Direct", "Encoding", "Frames", "Poisson", "to_floats"]
