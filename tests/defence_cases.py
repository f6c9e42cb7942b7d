"""The victims of `spikedoor.testing.cases`, under the names that tests of defences use."""

from spikedoor.testing.cases import Case, digits, weights
from spikedoor.testing.cases import planted as case

__all__ = ["Case", "case", "digits", "weights"]
