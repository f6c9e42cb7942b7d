"""Where the work of a sweep is done: in this process, in local processes, or on a Ray cluster."""

from spikedoor.study.engines.base import Engine, Outcome, carry_out
from spikedoor.study.engines.local import InProcess
from spikedoor.study.engines.workers import Workers

__all__ = ["Engine", "InProcess", "Outcome", "Workers", "carry_out"]
