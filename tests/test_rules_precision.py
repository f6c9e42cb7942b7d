"""In what arithmetic layers run."""

from pathlib import Path

import pytest
import torch

from spikedoor.snn import precision
from spikedoor.snn.precision import autocast, bf16_pays

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("asked", "pays", "expected"),
    [
        ("fp32", True, torch.float32),
        ("fp32", False, torch.float32),
        ("bf16", True, torch.bfloat16),
        ("bf16", False, torch.bfloat16),
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
    ],
)
def test_layers_compute_in_what_was_asked_for(monkeypatch, asked, pays, expected):
    monkeypatch.setattr(precision, "bf16_pays", lambda: pays)
    layer, x = torch.nn.Linear(4, 2), torch.ones(3, 4)
    with autocast(asked, CPU):
        assert layer(x).dtype == expected
    assert layer(x).dtype == torch.float32


@pytest.mark.parametrize(
    ("amx", "avx512", "vendor", "expected"),
    [
        (True, True, "GenuineIntel", True),
        (True, False, "GenuineIntel", True),
        (False, True, "GenuineIntel", False),
        (False, True, "AuthenticAMD", True),
        (False, False, "AuthenticAMD", False),
    ],
)
def test_bf16_pays_with_amx_or_on_amd(monkeypatch, amx, avx512, vendor, expected):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(Path, "exists", lambda self: True)
    monkeypatch.setattr(Path, "read_text", lambda self: f"processor : 0\nvendor_id : {vendor}\n")
    assert bf16_pays.__wrapped__() is expected


def test_bf16_pays_is_asked_of_the_real_processor_without_error():
    assert bf16_pays() in (True, False)
