"""Learned thresholds: the definition with a threshold that is a tensor, through autograd."""

import pytest
import torch
from snn_cases import backends, distance
from torch import Tensor, nn

from spikedoor.errors import ConfigError
from spikedoor.snn.activations import Spiking
from spikedoor.snn.dynamics import Dynamics
from spikedoor.snn.kernels import eager, pool_frames, use
from spikedoor.snn.neurons import IF, LIF, NEURONS, PLIF, Neuron
from spikedoor.snn.norm import BatchNorm
from spikedoor.snn.readout import MeanRate
from spikedoor.snn.signal import Signal
from spikedoor.snn.surrogate import Linear, Triangle

STEPS, BATCH, SHAPE = 6, 3, (8, 5, 4)
START, INITIAL, STRETCH = 0.8, 0.5, 0.3

NEURONS_UNDER_TEST: dict[str, Neuron] = {
    "if-soft": IF(reset="soft"),
    "if-hard": IF(),
    "if-soft-attached": IF(reset="soft", detach_reset=False),
    "lif-hard-attached": LIF(tau=1.7, detach_reset=False),
    "lif-soft-whole-input": LIF(decay_input=False, reset="soft", surrogate=Triangle()),
    "lif-resting": LIF(v_reset=-0.3, detach_reset=False, surrogate=Linear()),
    "plif-soft": PLIF(tau=3.0, reset="soft"),
    "plif-hard-attached": PLIF(tau=1.5, decay_input=False, detach_reset=False),
}
each = pytest.mark.parametrize("name", NEURONS_UNDER_TEST)


def layer(neuron: Neuron, stretch: float = STRETCH) -> Spiking:
    """Make a layer as after a conversion: spikes as high as the threshold, membrane in between."""
    made = neuron.model_copy(update={"learn_threshold": True, "threshold": START}).build()
    assert made.stretch is not None
    with torch.no_grad():
        made.amplitude.fill_(START)
        made.initial.fill_(INITIAL * START)
        made.stretch.fill_(stretch)
    return made


def drawn(frames: int = STEPS * BATCH) -> Tensor:
    return 1.2 * torch.randn(frames, *SHAPE, generator=torch.Generator().manual_seed(3)) + 0.4


def norm(kind: str | None, dtype: torch.dtype) -> BatchNorm | None:
    if kind is None:
        return None
    made = BatchNorm(SHAPE[0]).to(dtype)
    with torch.no_grad():
        made.weight.copy_(torch.linspace(0.7, 1.4, SHAPE[0]))
        made.bias.copy_(torch.linspace(0.5, -0.2, SHAPE[0]))
    return made.train(kind == "train")


def defined(neuron: Neuron, x: Tensor, kind: str | None, pool) -> dict[str, Tensor]:
    """Run the definition in double precision with ``V`` as a leaf."""
    x = x.double().requires_grad_()
    v = torch.tensor(START * torch.tensor(STRETCH).double().exp().item(), dtype=torch.float64)
    v.requires_grad_()
    base = neuron.build().double()
    numbers = base.dynamics()
    d = Dynamics(
        keep=numbers.keep,
        gain=numbers.gain,
        threshold=v,  # type: ignore[arg-type]
        amplitude=START,
        soft=numbers.soft,
        v_reset=numbers.v_reset / START * v,  # type: ignore[arg-type]
        initial=INITIAL * v,
        detach_reset=numbers.detach_reset,
        surrogate=numbers.surrogate,
    )
    batch_norm = norm(kind, torch.float64)
    current = x if batch_norm is None else batch_norm(x)
    out = eager.fire(current.unflatten(0, (-1, BATCH)), STEPS, d)
    out = pool_frames(out.flatten(0, 1), pool)
    out.backward(weights(out))
    assert v.grad is not None
    return collect(out, x, batch_norm, base.leak, v.grad * v.detach())


def weights(out: Tensor) -> Tensor:
    random = torch.Generator().manual_seed(9)
    return torch.randn(out.shape, generator=random).to(out.dtype) + 0.3


def collect(out, x, batch_norm, leak: nn.Parameter | None, stretch: Tensor) -> dict[str, Tensor]:
    found = {"out": out.detach(), "x": x.grad, "stretch": stretch}
    if batch_norm is not None:
        found |= {"weight": batch_norm.weight.grad, "bias": batch_norm.bias.grad}
    if leak is not None:
        found["leak"] = leak.grad
    return found


def ours(neuron: Neuron, x: Tensor, kind: str | None, pool) -> dict[str, Tensor]:
    made = layer(neuron)
    x = x.clone().requires_grad_()
    batch_norm = norm(kind, torch.float32)
    out = made(Signal(x, STEPS, BATCH), batch_norm, pool).data
    out.backward(weights(out))
    assert made.stretch is not None
    assert made.stretch.grad is not None
    return collect(out, x, batch_norm, made.leak, made.stretch.grad)


@each
@pytest.mark.parametrize(
    ("kind", "pool", "frames"),
    [(None, None, STEPS * BATCH), ("train", "max", STEPS * BATCH), ("eval", "avg", BATCH)],
    ids=["bare", "norm-max", "constant-norm-avg"],
)
@backends("eager", "torch", "compiled")
def test_is_the_definition_with_its_threshold_learned(name, kind, pool, frames, backend):
    """Spikes are the same, and so are the gradients, V's as ``dL/d(log V) = V dL/dV``."""
    neuron, x = NEURONS_UNDER_TEST[name], drawn(frames)
    truth = defined(neuron.model_copy(update={"threshold": START}), x, kind, pool)
    with use(backend):
        found = ours(neuron, x, kind, pool)
    assert 0.05 < (truth["out"] > 0).double().mean() < 0.98
    assert truth["stretch"].abs() > 0.1
    assert torch.equal(found["out"] > 0, truth["out"] > 0)
    assert {key: distance(found[key], truth[key]) for key in truth} == pytest.approx(
        dict.fromkeys(truth, 0), abs=3e-5
    )


@pytest.mark.parametrize("name", NEURONS.names())
def test_at_its_start_it_is_the_neuron_that_learns_nothing(name):
    x = drawn()
    plain = NEURONS[name](threshold=0.7)
    learned = plain.model_copy(update={"learn_threshold": True}).build()
    assert learned.threshold_in_force == pytest.approx(0.7)
    same = plain.build()(Signal(x, STEPS, BATCH)).data
    assert torch.equal(learned(Signal(x, STEPS, BATCH)).data, same)
    assert "stretch" in dict(learned.named_parameters())


@pytest.mark.parametrize("soft", [True, False])
def test_a_learned_threshold_fires_as_one_that_was_set(soft):
    """Only how high the spikes are differs, which V does not touch."""
    x = drawn()
    made = layer(IF(reset="soft" if soft else "hard"))
    fixed = IF(reset="soft" if soft else "hard", threshold=made.threshold_in_force).build()
    fixed.initial.fill_(INITIAL * made.threshold_in_force)
    found = made(Signal(x, STEPS, BATCH)).data
    assert torch.equal(found, START * fixed(Signal(x, STEPS, BATCH)).data)


def test_stays_positive_however_far_it_is_pulled():
    made = layer(IF(reset="soft"), 0.0)
    assert made.stretch is not None
    optimiser = torch.optim.SGD(made.parameters(), lr=0.5)
    for _ in range(20):
        optimiser.zero_grad()
        made.stretch.backward()  # a loss that falls with V, for ever
        optimiser.step()
    assert 0 < made.threshold_in_force < 1e-3


def test_learning_lowers_it_where_more_spikes_are_wanted():
    made, x = layer(IF(reset="soft"), 0.0), drawn()
    assert made.stretch is not None
    optimiser = torch.optim.Adam(made.parameters(), lr=0.05)
    rates = []
    for _ in range(20):
        optimiser.zero_grad()
        rate = made(Signal(x, STEPS, BATCH)).data.mean()
        (-rate).backward()
        optimiser.step()
        rates.append(float(rate.detach()))
    assert made.threshold_in_force < 0.6 * START
    assert rates[-1] > 1.2 * rates[0]


def test_travels_with_the_weights_and_survives_a_run_in_pieces():
    made = layer(PLIF(tau=2.5, reset="soft"))
    other = layer(PLIF(tau=2.5, reset="soft"), 0.0)
    other.load_state_dict(made.state_dict())
    assert other.threshold_in_force == made.threshold_in_force
    x, memory = drawn(), {}
    with torch.no_grad():
        whole = other(Signal(x, STEPS, BATCH)).data
        pieces = [made(Signal(part, 2, BATCH, memory)).data for part in x.split(2 * BATCH)]
    assert torch.equal(torch.cat(pieces), whole)


def test_a_readout_learns_no_threshold():
    with pytest.raises(ConfigError, match=r"learns nothing.*learn_threshold"):
        MeanRate(neuron=LIF(learn_threshold=True))
