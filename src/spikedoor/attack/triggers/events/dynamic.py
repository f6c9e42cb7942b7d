"""Events where a generator, learned against a model, puts them: other ones in each recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.attack.triggers.base import TRIGGERS, Mask, Shape, check_modality
from spikedoor.attack.triggers.events.base import GOLDEN, EventTrigger, event_shape
from spikedoor.attack.triggers.events.generator import Adam, Generator
from spikedoor.attack.triggers.learned import LearnedTrigger, Weights
from spikedoor.data.events import Events, Framing
from spikedoor.errors import ConfigError
from spikedoor.rng import generator

if TYPE_CHECKING:
    from spikedoor.attack.model import Model
    from spikedoor.data.base import SampleSet

__all__ = ["EventDynamic"]

_BATCH = 32


@final
@TRIGGERS.register(
    "event-dynamic",
    source="Abad, Ersoy, Picek, Urbieta 2024, Sneaky Spikes (dynamic)",
    link="https://arxiv.org/abs/2302.06279",
)
class EventDynamic(LearnedTrigger, EventTrigger):
    """Add events where a learned generator wants them, E' = E + G(E) with few in G(E).

    The budget: ``sum G(E) <= budget |E|``, with ``|E|`` the number of events.

    G sees the counts n of ``bins`` equal parts of the recording's time, a cell for each part,
    polarity and pixel, scores the cells, s = AE(n), and has each of the ``floor(budget |E|)`` best
    cells get one event, at a time within the part that depends on the cell alone. So counts
    stay whole and nothing is removed. A recording without events stays so.

    G minimises the cross-entropy of a model, fixed and trained on clean data, to the target label
    on E' of the recordings of other classes. The model is shown real recordings E' in its own
    framing; the gradient of its loss by one more event in each cell goes on to G as through a soft
    choice of the cells.

    The trigger is thus an adversarial example for the model by itself. In a study the model is the
    first stage of the clean twin: what an attack gains by poisoning is the victim's success rate
    beyond the twin's.

    Raises:
        ConfigError: Unprepared, or of other recordings than `Events` of the sensor of training.

    Deviations:
        The paper adds real values to frames and "clips" what then is no count; here events are
        added to recordings. It trains classifier and generator in turn, after LIRA (Doan et al.
        2021), and controls the training; here the model is fixed and only data are poisoned. Its
        autoencoder is a spiking convolutional one; this one has a single dense hidden layer.
    """

    budget: float = Field(0.02, gt=0, le=1)
    """Events added, as a share of the recording's own; at most one in each cell."""
    bins: int = Field(4, ge=1, le=1000)
    """Equal parts of the recording's time."""
    hidden: int = Field(32, ge=1, le=4096)
    """Width of the autoencoder."""
    updates: int = Field(200, ge=1, le=100_000)
    """Steps of learning, by Adam, on 32 recordings each."""
    lr: float = Field(0.01, gt=0, le=1)
    """Learning rate."""

    def learn(self, train: SampleSet, seed: int, model: Model, target: int) -> Self:
        """Return the trigger with its generator learned."""
        check_modality(self, train)
        others = np.flatnonzero(np.asarray(train.labels) != target)
        if not len(others):
            raise ConfigError(
                f"trigger '{self.name}': every recording of '{train.name}' is of class {target} "
                "already; expected some to learn from"
            )
        _, height, width = event_shape(self.name, train.shape)
        draw = generator(seed, "dynamic trigger")
        made = Generator.drawn(self.bins * 2 * height * width, self.hidden, draw)
        adam = Adam(made, self.lr)
        for _ in range(self.updates):
            batch = draw.choice(others, min(_BATCH, len(others)), replace=False)
            events = train.batch(batch)
            counts, cells = self._cells(events, made)
            shown, wanted = self._with(events, cells), np.full(len(batch), target, np.int64)
            gradients = model.event_gradients(shown, wanted, self.bins).reshape(counts.shape)
            adam.step(made.slopes(counts, cells, gradients))
        return self.with_weights(made._asdict())

    def with_weights(self, weights: Weights) -> Self:
        """Return the trigger with a generator that was learned before.

        Raises:
            ConfigError: If the weights are not those of such a generator.
        """
        shapes = {name: np.shape(weight) for name, weight in weights.items()}
        cells, hidden = next(iter(shapes.values()), (0, 0))
        if (
            set(shapes) != set(Generator._fields)
            or len(set(shapes.values())) != 1
            or hidden != self.hidden
            or cells % (2 * self.bins)
        ):
            raise ConfigError(
                f"trigger '{self.name}': expected weights {', '.join(Generator._fields)} of "
                f"[cells, {self.hidden}] with cells for {self.bins} bins, got {shapes}"
            )
        return super().with_weights(weights)

    def apply(self, events: Events, /) -> Events:
        """Return the recordings with the generator's events."""
        self._check(events)
        made = self._generator(events.sensor)
        return self._with(events, self._cells(events, made)[1])

    def mask(self, shape: Shape) -> Mask:
        """Return all places: any can get an event."""
        _, height, width = event_shape(self.name, shape)
        self._generator((height, width))
        return np.ones(shape, np.bool_)

    def _generator(self, sensor: tuple[int, int]) -> Generator:
        made, cells = Generator(**self.weights), self.bins * 2 * sensor[0] * sensor[1]
        if len(made.encoder) != cells:
            raise ConfigError(
                f"trigger '{self.name}': learned on a sensor of "
                f"{len(made.encoder) // (2 * self.bins)} pixels, got one of "
                f"{sensor[1]}x{sensor[0]}"
            )
        return made

    def _cells(
        self, events: Events, made: Generator
    ) -> tuple[NDArray[np.uint16], list[NDArray[np.int64]]]:
        """Return the counts that are seen, [N, D], and the cells chosen in each recording."""
        frames = Framing(by="time").frames(events, self.bins)
        counts = frames.reshape(len(events), len(made.encoder))
        wanted = np.minimum((self.budget * events.counts).astype(np.int64), counts.shape[1])
        return counts, [made.chosen(*one) for one in zip(counts, wanted.tolist(), strict=True)]

    def _with(self, events: Events, cells: list[NDArray[np.int64]]) -> Events:
        """Return the recordings with an event in each of some cells."""
        added = [len(chosen) for chosen in cells]
        offsets = np.concatenate([[0], np.cumsum(added)]).astype(np.int64)
        cell = np.concatenate([*cells, np.zeros(0, np.int64)])
        part, p, y, x = np.unravel_index(cell, (self.bins, 2, *events.sensor))
        lasts = np.repeat(events.durations + 1, added)
        start, end = (-(-lasts * edge // self.bins) for edge in (part, part + 1))
        # Spread as the bursts of the other triggers, so that no two pixels fire in step.
        t = np.minimum(start + (cell * GOLDEN % 1 * (end - start)).astype(np.int64), lasts - 1)
        made = Events(
            x.astype(np.uint16),
            y.astype(np.uint16),
            t.astype(np.int32),
            p.astype(np.uint8),
            offsets,
            events.sensor,
        )
        return events.merged(made.in_order())
