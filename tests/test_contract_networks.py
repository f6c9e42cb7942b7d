"""What every architecture keeps, as ANN and as SNN."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch

from spikedoor.errors import ConfigError
from spikedoor.snn.activations import Activation, Rectifier
from spikedoor.snn.networks import NETWORKS, Architecture, Network
from spikedoor.snn.neurons import LIF, PLIF
from spikedoor.snn.signal import Signal

CLASSES, BATCH, STEPS = 7, 2, 3

# Every variant of our own members, narrow; a third party's with its defaults.
NARROW: dict[str, list[dict[str, object]]] = {
    "small-conv": [{"width": 4}, {"width": 5, "pool": "max"}, {"width": 4, "norm": "tdbn"}],
    "vgg": [{"depth": depth, "width": 0.125} for depth in (5, 9, 11, 16)]
    + [{"depth": 9, "width": 0.125, "pool": "max"}],
    "resnet": [
        {"depth": 18, "width": 0.125},
        {"depth": 20, "width": 0.5},
        {"depth": 18, "width": 0.125, "norm": "tdbn"},
    ],
    "preact-resnet": [{"width": 0.125}, {"width": 0.125, "norm": "tdbn"}],
    "badnet": [{"width": 4}, {"width": 5, "centre": True}],
}
PLANS = {
    " ".join([name, *map(str, fields.values())]): Architecture.from_dict({"name": name, **fields})
    for name in NETWORKS.names()
    for fields in NARROW.get(name, [{}])
}
KINDS: dict[str, Callable[[], Activation]] = {
    "ann": Rectifier,
    "lif": lambda: LIF().build(),
    "plif": lambda: PLIF().build(),
}

plans = pytest.mark.parametrize("plan", PLANS)
kinds = pytest.mark.parametrize("kind", ["ann", "lif"])


def build(plan: str, kind: str, side: int = 28, seed: int = 5, channels: int = 1) -> Network:
    return PLANS[plan].build((channels, side, side), CLASSES, KINDS[kind], seed)


def frames(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def signal(side: int, kind: str, channels: int = 1) -> Signal:
    steps = 1 if kind == "ann" else STEPS
    return Signal(frames(BATCH, channels, side, side), steps, BATCH)


@cache
def weights(plan: str, kind: str, seed: int) -> dict[str, torch.Tensor]:
    """Return all that is drawn: parameters of layers, not of neurons or norms."""
    parameters = build(plan, kind, seed=seed).named_parameters()
    return {name: value for name, value in parameters if ".layer." in name or "head" in name}


@pytest.mark.parametrize(("channels", "side"), [(3, 8), (1, 28), (3, 32), (2, 34), (3, 128)])
@kinds
@plans
def test_scores_every_class_at_every_step(plan, kind, channels, side):
    network = build(plan, kind, side, channels=channels).eval()
    with torch.inference_mode():
        out = network(signal(side, kind, channels))
    assert out.shape == (1 if kind == "ann" else STEPS, BATCH, CLASSES)
    assert out.dtype == torch.float32
    assert out.isfinite().all()


@pytest.mark.parametrize("shape", [(1, 8, 128), (2, 33, 21), (3, 128, 96), (1, 9, 8)], ids=str)
@kinds
@plans
def test_frames_need_not_be_square(plan, kind, shape):
    network = PLANS[plan].build(shape, CLASSES, KINDS[kind], 5).eval()
    with torch.inference_mode():
        out = network(Signal(frames(BATCH, *shape), 1, BATCH))
    assert out.shape == (1, BATCH, CLASSES)


@plans
def test_seed_decides_the_weights(plan):
    one, other = weights(plan, "ann", 5), weights(plan, "ann", 6)
    again = {name: value for name, value in build(plan, "ann").named_parameters() if name in one}
    assert one.keys() == again.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], again[name])
        assert not torch.equal(one[name], other[name])


@pytest.mark.parametrize("kind", ["lif", "plif"])
@plans
def test_ann_and_snn_of_a_seed_have_the_same_weights(plan, kind):
    ann, snn = weights(plan, "ann", 5), weights(plan, kind, 5)
    assert ann.keys() == snn.keys()
    assert all(torch.equal(ann[name], snn[name]) for name in ann)


@plans
def test_ann_weights_load_into_the_snn(plan):
    ann, snn = build(plan, "ann", seed=1), build(plan, "lif", seed=2)
    missing, unexpected = snn.load_state_dict(ann.state_dict(), strict=False)
    assert unexpected == []
    assert {name.rsplit(".", 1)[1] for name in missing} <= {"threshold", "amplitude", "initial"}


@plans
def test_weights_are_uniform_within_one_over_root_fan_in(plan):
    """A uniform variable within ±b has standard deviation ``b / sqrt(3)``."""
    for name, value in weights(plan, "ann", 5).items():
        if value.dim() > 1:
            bound = value[0].numel() ** -0.5
            assert value.abs().max() <= bound, name
            if value.numel() > 2000:
                assert value.std().item() == pytest.approx(bound / 3**0.5, rel=0.05), name


@kinds
@plans
def test_building_leaves_global_generators_alone(plan, kind):
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    build(plan, kind)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert (np.random.get_state()[1] == numpy_before).all()  # noqa: NPY002


@kinds
@plans
def test_gradients_reach_every_parameter(plan, kind):
    network = build(plan, kind)
    network(signal(28, kind)).sum().backward()
    assert [name for name, value in network.named_parameters() if value.grad is None] == []


@kinds
@plans
def test_no_activation_is_used_twice(plan, kind):
    made = []

    def make() -> Activation:
        made.append(KINDS[kind]())
        return made[-1]

    network = PLANS[plan].build((1, 28, 28), CLASSES, make, 5)
    placed = [module for module in network.modules() if isinstance(module, Activation)]
    assert len(placed) == len(made) == len({id(module) for module in made})


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ((1, 4, 4), "4x4"),
        ((3, 200, 200), "200x200"),
        ((1, 7, 28), "7x28"),
        ((1, 28, 129), "28x129"),
    ],
    ids=str,
)
@plans
def test_refuses_frames_too_small_or_too_large(plan, shape, found):
    message = f"network '{PLANS[plan].name}' takes frames of 8 to 128 px, got {found}"
    with pytest.raises(ConfigError, match=message):
        PLANS[plan].build(shape, CLASSES, Rectifier, 0)


@plans
def test_configuration_round_trip(plan):
    assert Architecture.from_dict(PLANS[plan].to_dict()) == PLANS[plan]


@pytest.mark.parametrize("name", NETWORKS.names())
def test_says_what_it_is(name):
    assert Architecture.from_dict(name) == NETWORKS[name]()
    assert NETWORKS[name].summary().endswith(".")
