"""Neurons against those of SpikingJelly, step by step, in double precision."""

from typing import Any

import pytest
import torch
from torch import Tensor

from spikedoor.snn.dynamics import step
from spikedoor.snn.kernels import use
from spikedoor.snn.neurons import IF, LIF, PLIF, Neuron
from spikedoor.snn.signal import Signal
from spikedoor.snn.surrogate import ATan, Sigmoid, Surrogate

WHY = "SpikingJelly is an oracle only; `make test` installs it"
theirs = pytest.importorskip("spikingjelly.activation_based.neuron", reason=WHY)
their_surrogate = pytest.importorskip("spikingjelly.activation_based.surrogate", reason=WHY)

STEPS, BATCH, WIDTH = 12, 3, 40
TAU = 2.7

NEURONS: dict[str, tuple[type[Neuron], dict[str, Any]]] = {
    "if": (IF, {}),
    "lif": (LIF, {"tau": TAU, "decay_input": True}),
    "lif-whole-input": (LIF, {"tau": TAU, "decay_input": False}),
    "plif": (PLIF, {"tau": TAU, "decay_input": True}),
    "plif-whole-input": (PLIF, {"tau": TAU, "decay_input": False}),
}
RESETS: dict[str, dict[str, Any]] = {
    "soft": {"reset": "soft"},
    "hard": {},
    "rest-below": {"v_reset": -0.4},
    "rest-above": {"v_reset": 0.3},
}

neurons = pytest.mark.parametrize("neuron", NEURONS)
resets = pytest.mark.parametrize("reset", RESETS)
detach = pytest.mark.parametrize("detach", [True, False], ids=["detached", "attached"])
backends = pytest.mark.parametrize("backend", ["eager", "torch"])
surrogates = pytest.mark.parametrize("surrogate", [ATan(), Sigmoid()], ids=["atan", "sigmoid"])
# Theirs takes h - threshold, ours that over the threshold: theirs must be steeper by 1 / threshold.
thresholds = pytest.mark.parametrize("threshold", [1.0, 0.6])


def drawn(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(STEPS, BATCH, WIDTH, generator=generator, dtype=torch.float64)
    return 2 * x + 0.8


def their_node(neuron: str, reset: str, detach: bool, surrogate: Surrogate, threshold: float):
    _, fields = NEURONS[neuron]
    steep = {"atan": their_surrogate.ATan, "sigmoid": their_surrogate.Sigmoid}[surrogate.name]
    common = {
        "v_threshold": threshold,
        "v_reset": None if reset == "soft" else RESETS[reset].get("v_reset", 0.0),
        "surrogate_function": steep(alpha=surrogate.sharpness / threshold),
        "detach_reset": detach,
        "step_mode": "m",
        "store_v_seq": True,
    }
    if neuron == "if":
        return theirs.IFNode(**common)
    decay = fields["decay_input"]
    if neuron.startswith("plif"):
        node = theirs.ParametricLIFNode(init_tau=TAU, decay_input=decay, **common)
        return node.double()
    return theirs.LIFNode(tau=TAU, decay_input=decay, **common)


def our_layer(neuron: str, reset: str, detach: bool, surrogate: Surrogate, threshold: float):
    model, fields = NEURONS[neuron]
    made = model(
        detach_reset=detach, surrogate=surrogate, threshold=threshold, **fields, **RESETS[reset]
    )
    layer = made.build().double()
    layer.threshold = torch.tensor(threshold, dtype=torch.float64)
    layer.initial = torch.tensor(made.v_reset, dtype=torch.float64)
    return layer


@backends
@thresholds
@surrogates
@detach
@resets
@neurons
def test_spikes_and_gradients(neuron, reset, detach, surrogate, threshold, backend):
    settings = (neuron, reset, detach, surrogate, threshold)
    node, layer = their_node(*settings), our_layer(*settings)
    if neuron.startswith("plif"):
        assert layer.leak.item() == pytest.approx(node.w.item(), abs=1e-6)
        layer.leak.data = node.w.data.clone()
    expected_x, found_x = drawn(0).requires_grad_(), drawn(0).requires_grad_()
    expected = node(expected_x)
    with use(backend):
        found = layer(Signal(found_x.flatten(0, 1), STEPS, BATCH)).over_time()
    assert torch.equal(found, expected)
    assert 0.05 < found.mean() < 0.95
    upstream = drawn(1)
    expected.backward(upstream)
    found.backward(upstream)
    torch.testing.assert_close(found_x.grad, expected_x.grad, rtol=1e-10, atol=1e-12)
    if neuron.startswith("plif"):
        torch.testing.assert_close(layer.leak.grad, node.w.grad, rtol=1e-10, atol=1e-12)


@resets
@neurons
def test_membranes(neuron, reset):
    settings = (neuron, reset, True, ATan(), 1.0)
    node, layer = their_node(*settings), our_layer(*settings)
    if neuron.startswith("plif"):
        layer.leak.data = node.w.data.clone()
    node(drawn(2))
    d = layer.dynamics()
    v: Tensor | float = d.initial
    for t, x in enumerate(drawn(2)):
        _, _, v = step(v, x, d)
        torch.testing.assert_close(v, node.v_seq[t], rtol=1e-12, atol=1e-12)
