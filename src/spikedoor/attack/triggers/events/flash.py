"""The whole sensor fires for a short time."""

from __future__ import annotations

from typing import Self, final

from pydantic import model_validator

from spikedoor.attack.triggers.base import TRIGGERS
from spikedoor.attack.triggers.events.base import Burst, BurstTrigger, Share
from spikedoor.attack.triggers.events.static import check_period

__all__ = ["EventFlash"]


@final
@TRIGGERS.register(
    "event-flash",
    source="Riaño, Abad, Picek, Urbieta 2024, Flashy Backdoor",
    link="https://arxiv.org/abs/2411.03022",
)
class EventFlash(BurstTrigger):
    """Make every pixel of the sensor fire for a part of the recording, as a flash of light does."""

    start: Share = 0.0
    """When it begins, as a share of the recording's duration."""
    end: Share = 0.0625
    """When it ends."""

    @model_validator(mode="after")
    def _forward(self) -> Self:
        check_period(self.start, self.end)
        return self

    def bursts(self, sensor: tuple[int, int]) -> list[Burst]:
        """Return the whole sensor, for its part of the time."""
        return [Burst(self.start, self.end, 0, 0, *sensor)]
