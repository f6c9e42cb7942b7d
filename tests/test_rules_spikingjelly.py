"""Conversion against SpikingJelly's converter, on the same weights and images."""

import pytest
import torch
from rules_cases import build, one_thread  # noqa: F401 (one_thread is a fixture)
from torch import Tensor, nn

from spikedoor.rules.conversion import Converter, Max, Percentile, ScaledMax
from spikedoor.rules.conversion.base import fold
from spikedoor.snn.activations import Spiking
from spikedoor.snn.networks import Network, SmallConv
from spikedoor.snn.signal import Signal

ann2snn = pytest.importorskip(
    "spikingjelly.activation_based.ann2snn", reason="SpikingJelly is not installed"
)

STEPS = 24
MODES = [
    (Max(momentum=0.1), "Max"),
    (Percentile(p=99.9, momentum=0.1), "99.9%"),
    (ScaledMax(factor=0.5, momentum=0.1), 0.5),
]


def images(seed: int, count: int = 8) -> Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


BATCHES = [images(seed) for seed in (1, 2, 3)]


@torch.no_grad()
def twin_of(ann: Network, pool: str) -> nn.Sequential:
    """Return the small conv net in plain torch, with the same weights."""
    layers: list[nn.Module] = []
    for synapse, folded in zip(ann.synapses(), fold(ann).synapses(), strict=True):
        ours = synapse.layer
        if isinstance(ours, nn.Conv2d):
            assert synapse.norm is not None
            layer = nn.Conv2d(ours.in_channels, ours.out_channels, 3, padding=1, bias=False)
            norm = nn.BatchNorm2d(ours.out_channels)
            norm.load_state_dict(synapse.norm.state_dict(), strict=False)
            pooling = nn.MaxPool2d(2) if pool == "max" else nn.AvgPool2d(2)
            layers += [layer, norm, nn.ReLU(), pooling]
        else:
            ours = folded.layer
            layer = nn.Linear(ours.in_features, ours.out_features)
            layers += [nn.Flatten(), layer, nn.ReLU()]
            channels = ours.in_features // 4  # ours flattens rows, columns, channels
            weight = ours.weight.view(-1, 2, 2, channels).permute(0, 3, 1, 2).flatten(1)
            ours = nn.utils.skip_init(nn.Linear, ours.in_features, ours.out_features)
            ours.load_state_dict({"weight": weight, "bias": folded.layer.bias})
        layer.load_state_dict(ours.state_dict())
    head = nn.Linear(ann.head.layer.in_features, ann.head.layer.out_features)
    head.load_state_dict(ann.head.layer.state_dict())
    return nn.Sequential(*layers, head).eval()


def convert_both(
    pool: str, converter: Converter, mode: str | float
) -> tuple[Network, nn.Module, list[str]]:
    """Return our network, theirs, and the names of their layers after neuron and pooling."""
    ann = build(SmallConv(width=4, pool=pool))
    twin = twin_of(ann, pool)
    x = images(4)
    torch.testing.assert_close(twin(x), ann(Signal(x, 1, len(x)))[0], rtol=1e-4, atol=1e-5)
    recipe = ann2snn.RateCodingRecipe(BATCHES, mode=mode, momentum=0.1)
    theirs = ann2snn.Converter(recipe=recipe).convert(twin)
    converter = converter.model_copy(update={"max_pool": "spikes"})
    return converter.convert(ann, BATCHES, STEPS), theirs, ["3", "7", "spiking_2.scaler1"]


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture):
    caplog.set_level("CRITICAL")


cases = pytest.mark.parametrize(("converter", "mode"), MODES, ids=[m[0].name for m in MODES])
pools = pytest.mark.parametrize("pool", ["avg", "max"])


@cases
def test_thresholds_are_equal(converter, mode):
    ours, theirs, _ = convert_both("avg", converter, mode)
    found = [float(m.threshold) for m in ours.modules() if isinstance(m, Spiking)]
    scales = [
        float(module.scale) for name, module in theirs.named_modules() if name.endswith("scaler1")
    ]
    assert len(scales) == 3
    assert found == pytest.approx(scales, rel=1e-5)


@cases
@pools
@torch.no_grad()
def test_every_layer_sends_equal_spikes_at_every_step(converter, mode, pool):
    ours, theirs, names = convert_both(pool, converter, mode)
    x = images(5)
    sent: dict[str, list[Tensor]] = {name: [] for name in names}
    for name in names:
        theirs.get_submodule(name).register_forward_hook(
            lambda module, given, out, name=name: sent[name].append(out)
        )
    their_head = torch.stack([theirs(x) for _ in range(STEPS)])
    own: list[Tensor] = []
    for module in ours.modules():
        if isinstance(module, Spiking):
            module.register_forward_hook(lambda module, given, out: own.append(out.over_time()))
    head = ours(Signal(x, STEPS, len(x)))
    for name, ours_sent in zip(names, own, strict=True):
        theirs_sent = torch.stack(sent[name])
        assert ours_sent.count_nonzero() > 0.02 * ours_sent.numel()
        torch.testing.assert_close(ours_sent, theirs_sent, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(head, their_head, rtol=1e-4, atol=1e-4)
