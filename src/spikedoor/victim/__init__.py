"""A victim: the stages of a trained network, each with its weights and what surrounds them."""

from spikedoor.victim.blueprint import Blueprint
from spikedoor.victim.stage import Stage, StageName, to_floats
from spikedoor.victim.victim import Victim

__all__ = ["Blueprint", "Stage", "StageName", "Victim", "to_floats"]
