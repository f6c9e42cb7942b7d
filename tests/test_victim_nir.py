"""NIR: what other libraries write is read as they mean it, and nothing else is read."""

from __future__ import annotations

import os
import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

h5py = pytest.importorskip("h5py", reason="NIR files are HDF5, which needs h5py")
from nir_cases import EDGES, NODES, nir_file  # noqa: E402

from spikedoor.errors import ConfigError, DataError  # noqa: E402
from spikedoor.snn.signal import Signal  # noqa: E402
from spikedoor.victim import Victim, nir  # noqa: E402

STEPS, DT = 10, 1e-4


def read(folder, data: bytes, **settings: Any) -> Victim:
    path = folder / "model.nir"
    path.write_bytes(data)
    return nir.read(path, **{"classes": 4, "steps": STEPS, **settings})


def scores(victim: Victim, x: torch.Tensor) -> torch.Tensor:
    stage = victim.final
    with torch.no_grad():
        return stage.readout.scores(stage.network(Signal(x.flatten(0, 1), *x.shape[:2])))


def shown(*shape: int) -> torch.Tensor:
    return torch.rand(STEPS, 5, *shape, generator=torch.Generator().manual_seed(1)) * 2


def by_the_book(x: torch.Tensor, nodes=NODES, exact: bool = False) -> torch.Tensor:
    """Walk the equations of NIR by steps of dt, in double precision.

    Exactly, a membrane ends a step that much nearer to where it goes, by ``exp(-dt / tau)``.
    """
    rates = []
    values = {
        name: {k: torch.as_tensor(np.asarray(a, dtype=np.float64)) for k, a in node.items()
               if not isinstance(a, str)}
        for name, node in nodes.items()
    }  # fmt: skip
    v = {name: p.get("v_reset", torch.zeros(())) for name, p in values.items()}
    for frame in x.double():
        for name, node in nodes.items():
            p = values[name]
            if node["type"] == "Conv2d":
                frame = F.conv2d(frame, p["weight"], p["bias"], padding=1)
            elif node["type"] == "SumPool2d":
                frame = 4 * F.avg_pool2d(frame, 2)
            elif node["type"] == "Flatten":
                frame = frame.flatten(1)
            elif node["type"] == "Affine":
                frame = frame @ p["weight"].T + p["bias"]
            elif node["type"] in ("IF", "LIF"):
                leak = (p["v_leak"] - v[name]) / p["tau"] if node["type"] == "LIF" else 0
                weight = p["r"] / p["tau"] if node["type"] == "LIF" else p["r"]
                h = v[name] + DT * (leak + weight * frame)
                if exact and node["type"] == "LIF":
                    end = p["v_leak"] + p["r"] * frame
                    h = end + (v[name] - end) * torch.exp(-DT / p["tau"])
                frame = (h >= p["v_threshold"]).double()
                v[name] = h * (1 - frame) + p.get("v_reset", torch.zeros(())) * frame
        rates.append(frame)
    return torch.stack(rates).cumsum(0) / torch.arange(1, STEPS + 1).view(-1, 1, 1)


def changed(node: str, **values: Any) -> dict[str, dict[str, Any]]:
    return {**NODES, node: {**NODES[node], **values}}


PLAIN = {
    "whole": NODES,
    "rest": changed("if", v_reset=np.full((3, 8, 8), -0.2)),
    "r-1": changed("lif", r=np.ones(4)),
    "any-r": changed("lif", r=np.full(4, 1.7)),
    "thresholds": changed("if", v_threshold=np.arange(1.0, 4)[:, None, None] * np.ones((3, 8, 8))),
    "r-by-channel": changed("lif", r=np.arange(1.0, 5)),
    "leak": changed("lif", v_leak=np.full(4, 0.1), v_reset=np.full(4, 0.1)),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_every_step_is_that_of_the_equations(kind, tmp_path):
    x, expected = shown(1, 8, 8), by_the_book(shown(1, 8, 8), PLAIN[kind])
    assert expected.unique().numel() > 3
    found = scores(read(tmp_path, nir_file(PLAIN[kind])), x)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["whole", "r-1", "r-by-channel", "leak"])
def test_neurons_may_go_forward_exactly(kind, tmp_path):
    x, expected = shown(1, 8, 8), by_the_book(shown(1, 8, 8), PLAIN[kind], exact=True)
    assert not torch.equal(expected, by_the_book(x, PLAIN[kind]))
    found = scores(read(tmp_path, nir_file(PLAIN[kind]), solver="exact"), x)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-6)
    fast = changed("lif", tau=np.full(4, DT / 2), r=np.ones(4))
    expected = by_the_book(x, fast, exact=True)
    found = scores(read(tmp_path, nir_file(fast), solver="exact"), x)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-6)


def test_a_solver_is_known_by_name(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'exact'"):
        read(tmp_path, nir_file(), solver="exat")


def test_time_constants_may_be_in_steps(tmp_path):
    nodes = changed("lif", tau=np.full(4, 3.0))
    nodes["if"] = {**NODES["if"], "r": np.ones((3, 8, 8))}
    x = shown(1, 8, 8)
    again = read(tmp_path, nir_file(nodes), dt=1.0)
    assert torch.equal(scores(again, x), scores(read(tmp_path, nir_file()), x))
    soft = read(tmp_path, nir_file(), reset="soft")
    assert not torch.equal(scores(soft, x), scores(again, x))


def test_networks_of_spikingjelly_come_out_as_they_went_in(tmp_path):
    pytest.importorskip("spikingjelly.activation_based", reason="SpikingJelly is an oracle only")
    from spikingjelly.activation_based import functional, nir_exchange
    from test_victim_spikingjelly import layer, neuron

    torch.manual_seed(0)
    module = torch.nn.Sequential(
        layer.Conv2d(2, 6, 3, stride=2, bias=False), neuron.IFNode(0.3), layer.AvgPool2d(2, 1),
        layer.Flatten(), layer.Linear(150, 20), neuron.LIFNode(1.8, False, 0.4),
        layer.Linear(20, 4), neuron.ParametricLIFNode(1.5, v_threshold=0.1),
    ).eval()  # fmt: skip
    path = tmp_path / "module.nir"
    nir_exchange.export_to_nir(module, torch.rand(1, 2, 13, 13), path)
    x = shown(2, 13, 13)
    functional.reset_net(module)
    with torch.no_grad():
        theirs = torch.stack([module(frame) for frame in x])
    assert theirs.unique().numel() > 1
    found = scores(nir.read(path, 4, STEPS), x)
    torch.testing.assert_close(found[-1], theirs.mean(0), rtol=0, atol=1e-6)


def without(*names: str) -> dict[str, dict[str, Any]]:
    return {name: node for name, node in NODES.items() if name not in names}


def linked(link: Any):
    def change(file: Any) -> None:
        del file["node/nodes/affine/weight"]
        file["node/nodes/affine/weight"] = link

    return change


def huge(file: Any) -> None:
    del file["node/nodes/affine/weight"]
    chunks = (1 << 10, 1 << 10)
    file.create_dataset("node/nodes/affine/weight", (1 << 20, 1 << 20), "f4", chunks=chunks)


def long_text(file: Any) -> None:
    del file["node/nodes/affine/type"]
    file["node/nodes/affine/type"] = "A" * (1 << 20)


WRONG: dict[str, tuple[bytes, str]] = {
    "unknown": (nir_file(changed("lif", type="CubaLIF")), "'lif' .CubaLIF. is not supported: a ne"),
    "made-up": (nir_file(changed("lif", type="Cub")), "'lif' .Cub. is not supported: known are"),
    "field": (nir_file(changed("lif", tau="3")), "expected numbers"),
    "missing": (nir_file({**NODES, "lif": {"type": "LIF"}}), "expected 'tau', found none"),
    "infinite": (nir_file(changed("affine", bias=np.full(4, np.nan))), "finite numbers as 'bias'"),
    "branch": (nir_file(edges=[*EDGES, ("conv", "lif")]), "'conv' is where the graph branches"),
    "cycle": (nir_file(edges=[*EDGES[:-1], ("lif", "if")]), "'if' is where the graph branches"),
    "loose": (nir_file(edges=EDGES[:-2]), "ends at 'affine' and leaves out lif, output"),
    "no-node": (nir_file(edges=[*EDGES, ("output", "x")]), "an edge names 'x'"),
    "no-input": (nir_file(without("input"), EDGES[1:]), "expected one Input, found 0"),
    "varied": (nir_file(changed("lif", tau=np.arange(3.0, 7) * DT)), "'tau' differs"),
    "pixel": (
        nir_file(changed("if", v_threshold=1 + np.arange(192.0).reshape(3, 8, 8))),
        "'v_threshold' differs within a channel",
    ),
    "slow": (nir_file(changed("lif", tau=np.full(4, 1e-5))), "above dt, found 0.1 dt; give `dt`"),
    "silent": (nir_file(changed("lif", v_threshold=np.zeros(4))), "thresholds above 0"),
    "shape": (nir_file(changed("input", shape=np.array([64]))), "give `shape`"),
    "wide": (nir_file(changed("pool", kernel_size=np.array([3, 3]))), "takes 48 inputs, is given"),
    "groups": (nir_file(changed("conv", groups=0)), "groups"),
    "stride": (nir_file(changed("conv", stride=np.array([0.5, 1]))), "whole numbers as 'stride'"),
    "padding": (nir_file(changed("conv", padding=np.array([60, 1 << 40]))), "padding"),
    "soft-link": (nir_file(change=linked(h5py.SoftLink("/node/nodes/affine/bias"))), "'weight', f"),
    "external": (nir_file(change=linked(h5py.ExternalLink("/etc/passwd", "/x"))), "'weight', fou"),
    "huge": (nir_file(change=huge), "expected at most 67108864 bytes, found a claim of 43980465"),
    "long-text": (nir_file(change=long_text), "texts of at most 256 bytes"),
    "no-graph": (nir_file(change=lambda file: file.pop("node")), "found no graph"),
    "no-hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(64), "expected a whole HDF5 file"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_refused_in_one_line_and_little_memory(kind, tmp_path):
    data, found = WRONG[kind]
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=found) as caught:
            read(tmp_path, data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)


def test_classes_are_told_and_checked(tmp_path):
    victim = read(tmp_path, nir_file(), classes=["a", "b", "c", "d"])
    assert victim.final.blueprint.classes == ("a", "b", "c", "d")
    with pytest.raises(DataError, match="an output for each of 5 classes, found 4"):
        read(tmp_path, nir_file(), classes=5)


def test_a_file_that_is_not_there_is_missed_by_name(tmp_path):
    with pytest.raises(DataError, match=f"none.nir: .*{os.strerror(2)}"):
        nir.read(tmp_path / "none.nir", 4, STEPS)
