"""An experiment: everything that decides a run, as one typed tree."""

from __future__ import annotations

from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator

from spikedoor.attack import Attack
from spikedoor.attack.triggers import check_modality
from spikedoor.component import Component
from spikedoor.data import DataSource
from spikedoor.defences.plan import DefencePlan
from spikedoor.errors import ConfigError
from spikedoor.rules import Rule
from spikedoor.snn.networks import Architecture, SmallConv

__all__ = ["Experiment"]


class Experiment(Component):
    """Data, attack, network, rule and seed: one value, one run."""

    seed: int = Field(0, ge=0)
    """Of everything random."""
    data: DataSource
    """Data set."""
    attack: Attack = Attack()
    """Attack; a rate of 0 makes a clean run."""
    network: Architecture = SmallConv()
    """Plan of the network."""
    rule: Rule
    """Learning rule."""
    defence: DefencePlan | None = None
    """What is done against the attack, if anything."""
    twin: bool = True
    """Train a clean twin on the same seed, as the control of every claim."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """Where to train; ``auto`` takes a GPU if there is one."""
    threads: int | None = Field(None, ge=1, le=1024)
    """Threads to compute with on the CPU: the last bits of a sum depend on their number. None takes
    as many as torch has; a sweep takes one."""

    @model_validator(mode="after")
    def _of_one_modality(self) -> Self:
        check_modality(self.attack.trigger, self.data)
        self.rule.check_samples(self.data)
        return self

    @model_validator(mode="after")
    def _has_the_stage_to_defend(self) -> Self:
        stages = [phase.stage for phase in self.rule.phases()]
        if self.defence is not None and self.defence.stage == "ann" and "ann" not in stages:
            raise ConfigError(
                f"defence.stage: rule '{self.rule.name}' has no ANN; expected 'final', got 'ann'"
            )
        return self

    def machine(self) -> dict[str, Any]:
        """Return what of the machine decides the last bits of a result: device and threads.

        Raises:
            ConfigError: If a GPU is asked for and there is none.
        """
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ConfigError(
                "device: expected 'cpu' or 'auto', got 'cuda', but torch sees no GPU here"
            )
        device = "cuda" if self.device != "cpu" and torch.cuda.is_available() else "cpu"
        return {"device": device, "threads": self.threads or torch.get_num_threads()}
