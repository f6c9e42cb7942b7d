"""The converters against closed forms and hand-made simulations of what their papers describe."""

import numpy as np
import pytest
import torch
from rules_cases import (  # noqa: F401 (one_thread is a fixture)
    build,
    identity_network,
    images,
    neurons,
    one_thread,
    output,
    pixels,
)

from spikedoor.rules.conversion import QCFS, Calibration, Max, ScaledMax, ThresholdShift, report
from spikedoor.rules.conversion.base import fold
from spikedoor.rules.conversion.calibration import best_threshold
from spikedoor.rules.conversion.layers import means, places
from spikedoor.snn.activations import Rectifier
from spikedoor.snn.networks import Network, ResNet, SmallConv
from spikedoor.snn.rectifiers import ClipFloorShift, ClippedReLU

GRID = torch.linspace(-1, 3, 81)


def rounded(z: torch.Tensor, threshold: float, steps: int) -> torch.Tensor:
    count = (z * steps / threshold + 0.5).floor().clamp(0, steps)
    return count * threshold / steps


def away_from_ties(z: torch.Tensor, threshold: float, steps: int) -> torch.Tensor:
    share = (z * steps / threshold + 0.5) % 1
    return (share > 1e-3) & (share < 1 - 1e-3)


@pytest.mark.parametrize("steps", [1, 2, 5, 16])
class TestRounding:
    def test_threshold_shift_rounds_to_the_nearest_rate(self, steps):
        ann = identity_network(81, Rectifier())
        x = GRID.view(1, 1, 1, -1)
        sent = output(ThresholdShift().convert(ann, [x], steps), x, steps)[0]
        certain = away_from_ties(GRID, 3.0, steps)
        torch.testing.assert_close(sent[certain], rounded(GRID, 3.0, steps)[certain])

    def test_threshold_shift_takes_the_limit_of_a_clipped_relu(self, steps):
        ann = identity_network(81, ClippedReLU(limit=1.3).build())
        x = GRID.view(1, 1, 1, -1)
        network = ThresholdShift().convert(ann, [x / 3], steps)
        certain = away_from_ties(GRID, 1.3, steps)
        sent = output(network, x, steps)[0]
        torch.testing.assert_close(sent[certain], rounded(GRID, 1.3, steps)[certain])

    def test_qcfs_sends_exactly_what_its_ann_does_at_as_many_steps_as_levels(self, steps):
        ann = identity_network(81, ClipFloorShift(levels=steps, limit=1.3).build())
        x = GRID.view(1, 1, 1, -1)
        network = QCFS().convert(ann, [x], 99)
        certain = away_from_ties(GRID, 1.3, steps)
        sent, wanted = output(network, x, steps)[0], output(ann, x)[0]
        torch.testing.assert_close(sent[certain], wanted[certain])
        (neuron,) = neurons(network)
        assert float(neuron.initial) == pytest.approx(0.65)


class TestCalibration:
    def test_best_threshold_is_that_of_a_search_by_hand(self):
        """Twenty activations of 1 and one of 2: at T = 1 the outlier is given up, at 2 kept."""
        a = torch.tensor([1.0] * 20 + [2.0])
        assert best_threshold(a, 2.0, 1) == pytest.approx(1.0)
        assert best_threshold(a, 2.0, 2) == pytest.approx(2.0)
        assert best_threshold(torch.zeros(5), 0.0, 4) == 0

    def test_best_threshold_beats_all_others_of_the_grid(self):
        a = torch.randn(4000, generator=torch.Generator().manual_seed(2)).relu()
        for steps in (2, 8, 32):
            grid = [float(a.max()) * (1 - 0.01 * i) for i in range(95)]
            spikes = [np.clip(np.floor(a.double().numpy() * steps / v), 0, steps) for v in grid]
            errors = [np.mean((n * v / steps - a.numpy()) ** 2)
                      for n, v in zip(spikes, grid, strict=True)]  # fmt: skip
            found = best_threshold(a, float(a.max()), steps)
            assert min(errors) == pytest.approx(
                errors[int(np.argmin(np.abs(np.array(grid) - found)))]
            )
        assert best_threshold(a, float(a.max()), 2) < best_threshold(a, float(a.max()), 32)

    @pytest.mark.parametrize("mode", ["light", "advanced"])
    def test_takes_back_a_known_error(self, mode):
        """Activations of 0.3 and 0.7 at T = 2: the threshold leaves errors, the correction none.

        Each channel is one neuron and every image the same, so both modes can mend all of it.
        """
        ann = identity_network(3, Rectifier())
        x = pixels([[0.3, 0.7, 1.0]] * 4)
        network = Calibration(mode=mode).convert(ann, [x], 2)
        plain = ScaledMax(factor=float(neurons(network)[0].threshold)).convert(ann, [x], 2)
        lost = output(ann, x, 1) - output(plain, x, 2)
        assert lost.abs().max() > 0.1
        synapse = places(network)[0].synapse
        given = synapse.layer.bias if mode == "light" else neurons(network)[0].initial / 2
        torch.testing.assert_close(given.detach(), lost[0])

    @pytest.mark.parametrize("architecture", [SmallConv(width=4), ResNet(depth=20, width=0.5)],
                             ids=["small-conv", "resnet"])  # fmt: skip
    @pytest.mark.parametrize("mode", ["light", "advanced"])
    def test_leaves_less_error_in_every_layer(self, mode, architecture):
        """Against the same thresholds uncorrected, and against the correction of the wrong sign."""
        ann, x, steps = build(architecture), images(24), 8
        network = Calibration(mode=mode).convert(ann, [x], steps)
        plain = uncorrected(ann, x, network)
        where = places(network)
        left, without = (
            np.mean([float((s - a).mean(0).abs().mean() / a.mean()) for s, a in zip(
                means(snn, where, x, steps), means(fold(ann), where, x), strict=True)])
            for snn in (network, plain)
        )  # fmt: skip
        assert left < 0.7 * without
        assert near(network, ann, x, steps) < near(plain, ann, x, steps)

    def test_is_nearer_than_max_at_few_steps(self):
        ann, x = build(SmallConv(width=4)), images(24)
        for steps in (2, 4):
            calibrated, plain = (
                converter.convert(ann, [x], steps) for converter in (Calibration(), Max())
            )
            assert near(calibrated, ann, x, steps) < near(plain, ann, x, steps) / 2


def uncorrected(ann: Network, x: torch.Tensor, like: Network) -> Network:
    """Convert with given thresholds and nothing else."""
    network = Max().convert(ann, [x], 1)
    for mine, theirs in zip(neurons(network), neurons(like), strict=True):
        mine.threshold.copy_(theirs.threshold)
        mine.amplitude.copy_(theirs.threshold)
    return network


def near(snn: Network, ann: Network, x: torch.Tensor, steps: int) -> float:
    return float((output(snn, x, steps) - output(ann, x)).square().mean())


class TestReport:
    def test_by_hand(self):
        """Threshold 1; 0.3 and 0.55 send nothing and 1 spike in 2 steps, 1.0 sends 2."""
        ann, x = identity_network(4, Rectifier()), pixels([[0.3, 0.55, 1.0, -1.0]])
        found = report(ann, Max().convert(ann, [x], 2), x, 2)["layers"][0]
        assert found["layer"] == "blocks.1.activation"
        assert found["threshold"] == 1
        assert found["ann_mean"] == pytest.approx(1.85 / 4)
        assert found["snn_mean"] == found["rate"] == pytest.approx(1.5 / 4)
        error = np.sqrt((0.3**2 + 0.05**2) / (0.3**2 + 0.55**2 + 1))
        assert found["error"] == pytest.approx(error)

    def test_says_nothing_of_the_error_of_a_silent_layer(self):
        ann, x = identity_network(2, Rectifier()), pixels([[-1.0, -2.0]])
        found = report(ann, Max().convert(ann, [x], 2), x, 2)["layers"][0]
        assert found["error"] is None
        assert found["rate"] == 0

    def test_batches_of_any_size_are_one(self):
        ann, x = build(SmallConv(width=4)), images(300)
        snn = Max().convert(ann, [x], 4)
        found = report(ann, snn, x, 3)["layers"]
        for place, layer, sent, wanted in zip(
            places(snn), found, means(snn, places(snn), x, 3),
            means(fold(ann), places(snn), x), strict=True,
        ):  # fmt: skip
            assert layer["layer"] == place.name
            assert layer["snn_mean"] == pytest.approx(float(sent.mean()), rel=1e-4)
            assert layer["error"] == pytest.approx(
                float((sent - wanted).norm() / wanted.norm()), rel=1e-4
            )
