"""In what arithmetic convolutions and linear layers run."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Literal

import torch

__all__ = ["Precision", "autocast", "bf16_pays"]

Precision = Literal["fp32", "bf16", "auto"]


@cache
def bf16_pays() -> bool:
    """Whether this processor computes bfloat16 faster than single precision.

    True with AMX, and with AVX512-BF16 on AMD. Intel's AVX512-BF16 without AMX has the
    instructions, yet its convolutions measured here ran at about half the speed of fp32.
    """
    if torch.cpu._is_amx_tile_supported():
        return True
    if not torch.cpu._is_avx512_bf16_supported():
        return False
    info = Path("/proc/cpuinfo")
    return info.exists() and "AuthenticAMD" in info.read_text()[:2000]


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager:
    """Return the context to run a network in; ``auto`` takes bf16 where it is the faster one."""
    pays = bf16_pays() if device.type == "cpu" else torch.cuda.is_bf16_supported()
    if precision == "bf16" or (precision == "auto" and pays):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()
