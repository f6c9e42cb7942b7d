"""What a network is shown of a recording, and of frames that are ready."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from event_cases import SENSOR, bands
from rules_cases import stripes

from spikedoor.data.events import FrameSet, Framing
from spikedoor.errors import ConfigError
from spikedoor.snn.encoding import Direct, Encoding, Frames

DATA = bands(7)
BATCH = DATA.batch(np.arange(7))
NOTHING = torch.Generator()

CASES = {
    "by number": Frames(),
    "by time": Frames(framing=Framing(by="time"), gain=0.3),
    "by window": Frames(framing=Framing(by="window", window=9_000)),
    "signed": Frames(framing=Framing(value="signed", downsample=2)),
    "binary": Frames(framing=Framing(value="binary")),
    "raw": Frames(scale="raw", gain=1.0),
    "raw by window": Frames(framing=Framing(by="window", window=9_000), scale="raw"),
    "merged": Frames(merge=3),
    "raw, merged": Frames(scale="raw", merge=3),
    "constant": Frames(constant=True),
    "constant, raw": Frames(constant=True, scale="raw"),
    "constant, binary": Frames(constant=True, framing=Framing(value="binary")),
}
every_case = pytest.mark.parametrize("encoding", CASES.values(), ids=CASES)


def shown(encoding: Encoding, steps: int, batch: object = BATCH) -> torch.Tensor:
    """Return the input at each step, [T, B, C, H, W]."""
    return encoding.encode(encoding.tensor(batch, steps), steps, NOTHING).over_time()


@pytest.mark.parametrize("steps", [1, 5, 12])
def test_each_step_shows_its_frame(steps):
    frames = np.moveaxis(Framing().frames(BATCH, steps), 1, 0).astype(np.float32)
    np.testing.assert_allclose(shown(Frames(gain=0.5), steps), 0.5 * steps * frames)
    np.testing.assert_allclose(shown(Frames(gain=1, scale="raw"), steps), frames)


def test_the_mean_over_time_does_not_depend_on_the_steps():
    total = 0.1 * Framing().frames(BATCH, 1)[:, 0]
    for steps in (1, 3, 8, 40):
        np.testing.assert_allclose(shown(Frames(), steps).mean(0), total, rtol=1e-5)


@every_case
@pytest.mark.parametrize("steps", [1, 6])
def test_an_ann_is_shown_the_mean_over_time(encoding, steps):
    ann = encoding.for_ann(steps)
    np.testing.assert_allclose(
        shown(ann, 1)[0], shown(encoding, steps).mean(0), rtol=1e-5, atol=1e-7
    )
    assert ann.for_ann(1) == ann
    assert encoding.shape(DATA) == tuple(shown(encoding, steps).shape[2:])


@every_case
def test_pieces_are_the_whole(encoding):
    steps = 10
    inputs = encoding.tensor(BATCH, steps)
    pieces = list(encoding.pieces(inputs, steps, 4, NOTHING))
    assert [piece.steps for piece in pieces] == [4, 4, 4]
    joined = torch.cat([piece.over_time() for piece in pieces])
    assert torch.equal(joined[:steps], shown(encoding, steps))


@every_case
def test_only_a_nested_encoding_begins_alike_for_any_number_of_steps(encoding):
    begins = torch.equal(shown(encoding, 12)[:5], shown(encoding, 5))
    assert begins == encoding.nested


def test_one_ann_for_all_steps_where_it_is_shown_the_same():
    same = {name for name, one in CASES.items() if one.for_ann(3) == one.for_ann(8)}
    assert same == {"by number", "by time", "signed", "merged", "constant"}
    assert Frames(constant=True).for_ann(4) == Frames()


def test_ready_frames_are_shared_among_the_steps():
    ready = FrameSet(DATA, Framing(), 12)
    frames = ready.batch(np.arange(7)).astype(np.float32)
    found = shown(Frames(gain=1), 4, ready.batch(np.arange(7)))
    by_three = frames.reshape(7, 4, 3, 2, *SENSOR)
    np.testing.assert_allclose(found, 4 * np.moveaxis(by_three.sum(2), 1, 0))
    raw = shown(Frames(gain=1, scale="raw"), 4, ready.batch(np.arange(7)))
    np.testing.assert_allclose(raw, np.moveaxis(by_three.mean(2), 1, 0), rtol=1e-6)
    Frames().check(ready, 4)
    with pytest.raises(ConfigError, match=r"12 frames .* among, got 5"):
        Frames().check(ready, 5)
    with pytest.raises(ConfigError, match="expected no framing"):
        Frames(framing=Framing(by="time")).check(ready, 4)


def test_other_samples_are_refused_by_name():
    with pytest.raises(ConfigError, match=r"'direct' takes images, but 'bands' holds events.*fram"):
        Direct().check(DATA, 4)
    with pytest.raises(ConfigError, match=r"'frames' takes .*'stripes' holds images.*direct"):
        Frames().check(stripes(3), 4)
    with pytest.raises(ConfigError, match=r"\[B, 3, C, H, W\], got \[7, 2, 2, 8, 9\]"):
        Frames().encode(Frames().tensor(BATCH, 2), 3, NOTHING)


def test_an_empty_recording_is_dark():
    empty = BATCH.keep(np.zeros(len(BATCH.x), np.bool_))
    assert shown(Frames(), 3, empty).abs().max() == 0
