"""Which code runs: every build of the kernel that is here, its absence, and a choice by hand."""

import ctypes
from pathlib import Path

import pytest
import torch
from snn_cases import CASES, distance, needs_kernel, run

from spikedoor.errors import ConfigError
from spikedoor.snn.dynamics import Dynamics
from spikedoor.snn.kernels import backend_for, compiled, fire, use
from spikedoor.snn.neurons import LIF
from spikedoor.snn.signal import Signal
from spikedoor.snn.surrogate import Surrogate

BUILDS = ["base", "avx2", "avx512"]
HERE = {
    name: path
    for name in BUILDS[: BUILDS.index(compiled.instruction_set()) + 1]
    for path in Path(compiled.__file__).parent.glob(f"_neuron_{name}*.so")
}
SOME = [
    "if-17x17",
    "lif-soft-attached",
    "initial-neurons-max",
    "norm-avg",
    "norm-max-17x17",
    "constant-norm-max",
    "triangle-norm-max",
    "rectangle",
    "sigmoid-steep-norm-max",
    "ties-soft-max",
    "plif-initial-vector",
    "plif-soft-norm-max",
]


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("build", BUILDS)
def test_every_build_is_the_neuron(build, name, monkeypatch):
    if build not in HERE:
        pytest.skip(f"no {build} build here, or none this processor can run")
    library = ctypes.CDLL(str(HERE[build]))
    monkeypatch.setattr(compiled, "_library", lambda: library)
    found, expected = run(CASES[name], "compiled"), run(CASES[name], "torch")
    assert torch.equal(found["out"], expected["out"])
    assert all(distance(found[key], expected[key]) < 1e-5 for key in expected)


@needs_kernel
def test_compiled_is_first_choice_and_leaves_to_torch_what_it_cannot_do():
    d = Dynamics()
    assert backend_for(torch.zeros(2, 3), d) == "compiled"
    assert backend_for(torch.zeros(2, 3, dtype=torch.bfloat16), d) == "compiled"
    for other in (torch.float64, torch.float16):
        assert backend_for(torch.zeros(2, 3, dtype=other), d) == "torch"
        with use("compiled"):
            assert backend_for(torch.zeros(2, 3, dtype=other), d) == "torch"
    assert backend_for(torch.zeros(2, 3, device="meta"), d) == "torch"


class TestWithoutKernel:
    @pytest.fixture(autouse=True)
    def absent(self, monkeypatch):
        monkeypatch.setattr(compiled, "_library", lambda: None)

    @pytest.mark.parametrize("name", ["norm-avg", "plif-soft-norm-max", "constant-vector"])
    def test_torch_does_the_work(self, name):
        assert not compiled.available()
        assert backend_for(torch.zeros(2, 3), Dynamics()) == "torch"
        expected, found = run(CASES[name], "torch"), run(CASES[name], "auto")
        assert all(torch.equal(found[key], expected[key]) for key in expected)

    def test_a_layer_runs(self):
        out = LIF().build()(Signal(torch.full((2, 3), 1.5), 4, 2))
        assert out.over_time()[:, 0, 0].tolist() == [0.0, 1.0, 0.0, 1.0]

    def test_asking_for_it_says_what_to_do(self):
        with pytest.raises(ConfigError, match=r"not built here.*C compiler"), use("compiled"):
            pass
        assert backend_for(torch.zeros(2, 3), Dynamics()) == "torch"


class TestChoice:
    def test_holds_for_the_block_and_nests(self):
        x, d = torch.zeros(2, 3), Dynamics()
        usual = backend_for(x, d)
        with use("eager"):
            with use("torch"):
                assert backend_for(x, d) == "torch"
            assert backend_for(x, d) == "eager"
        assert backend_for(x, d) == usual

    def test_ends_with_an_error_in_the_block(self):
        x, d = torch.zeros(2, 3), Dynamics()
        usual = backend_for(x, d)
        with pytest.raises(ZeroDivisionError), use("eager"):
            _ = 1 / 0
        assert backend_for(x, d) == usual

    def test_unknown_back_end_is_refused_with_the_known_ones(self):
        with pytest.raises(ConfigError, match=r"nonsense.*compiled.*eager.*torch"), use("nonsense"):
            pass

    def test_near_miss_is_named(self):
        with pytest.raises(ConfigError, match="did you mean 'eager'"), use("eagre"):
            pass


def test_surrogate_that_the_kernel_does_not_know_goes_to_torch():
    """A third party's surrogate has no code in the kernel."""

    class Straight(Surrogate):
        def derivative(self, z):
            return torch.ones_like(z)

        @property
        def sharpness(self):
            return 1.0

    x = torch.full((2, 3), 0.25, requires_grad=True)
    fire(x, 2, 1, Dynamics(surrogate=Straight())).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[2.0] * 3, [1.0] * 3]


@pytest.mark.parametrize("backend", ["eager", "torch", "auto"])
def test_more_frames_than_steps_are_refused(backend):
    """Frames are ``batch`` or ``steps * batch``; anything else would be read wrongly in silence."""
    with pytest.raises(ConfigError, match="frames"), use(backend):
        fire(torch.zeros(10, 3), 3, 2, Dynamics())
