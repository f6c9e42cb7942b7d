"""The part of the verb audit that is about networks of other libraries, by NIR."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from spikedoor.victim import Victim

__all__ = ["Dt", "Reset", "Solver", "Steps", "Told", "is_nir"]

Steps = Annotated[int | None, typer.Option(metavar="T", min=1, max=10_000, help="NIR: time steps.")]
Dt = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="NIR: length of a step.  [default: 1e-4]"),
]
Reset = Annotated[
    Literal["hard", "soft"] | None,
    typer.Option(help="NIR: kind of reset.  [default: hard]"),
]

Solver = Annotated[
    Literal["euler", "exact"] | None,
    typer.Option(help="NIR: how LIF neurons go forward.  [default: euler]"),
]


def is_nir(path: Path) -> bool:
    """Whether a path is one of a NIR file, by its ending."""
    return path.suffix.lower() == ".nir"


@dataclass(frozen=True)
class Told:
    """What a NIR file does not say."""

    steps: int | None
    dt: float | None
    reset: Literal["hard", "soft"] | None
    solver: Literal["euler", "exact"] | None

    def refuse(self) -> None:
        """Refuse all of it, where there is no such file.

        Raises:
            ConfigError: Naming the option.
        """
        from spikedoor.errors import ConfigError

        for name, value in vars(self).items():
            if value is not None:
                raise ConfigError(f"--{name} goes with a NIR file, such as model.nir")

    def victim(self, path: Path, samples: Any) -> Victim:
        """Read the network as a victim for samples; recordings are shown as frames.

        Raises:
            ConfigError: Without a number of steps.
            DataError: If the file cannot be read.
        """
        from spikedoor.data.base import modality_of
        from spikedoor.errors import ConfigError
        from spikedoor.snn.encoding import Direct, Frames
        from spikedoor.victim import nir

        if self.steps is None:
            raise ConfigError(f"{path}: NIR does not tell the time steps; say them with --steps")
        encoding = Direct() if modality_of(samples) == "image" else Frames()
        return nir.read(
            path,
            samples.classes,
            self.steps,
            shape=encoding.shape(samples),
            dt=nir.DT if self.dt is None else self.dt,
            reset=self.reset or "hard",
            solver=self.solver or "euler",
            encoding=encoding,
        )
