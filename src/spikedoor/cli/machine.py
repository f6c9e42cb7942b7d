"""The verb about the machine: env."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from spikedoor.cli.output import print_json, say

if TYPE_CHECKING:
    from spikedoor.data import DataSource

__all__ = ["env"]

ENV_EXAMPLES = """\b
Examples:
  spikedoor env
  spikedoor env --json
"""


def env(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Tell versions, processor, kernel and data sets."""
    found = _describe()
    if json:
        print_json(found)
        return
    wide = max(map(len, found))
    for key, value in found.items():
        if isinstance(value, dict):
            say(f"{key}:")
            inner = max(map(len, value))
            for name, told in value.items():
                say(f"  {name:{inner}}  {told}")
        else:
            say(f"{key:{wide}}  {'-' if value is None else value}")


def _describe() -> dict[str, Any]:
    import torch

    from spikedoor.data.files import data_root
    from spikedoor.records import describe
    from spikedoor.snn.kernels import compiled
    from spikedoor.snn.precision import bf16_pays

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        **describe(),
        "gpu": gpu,
        "kernel": "compiled" if compiled.available() else "torch (the compiled one was not built)",
        "instruction set": compiled.instruction_set(),
        "bf16 pays": "yes" if bf16_pays() else "no",
        "data root": str(data_root()),
        "datasets": _datasets(),
    }


def _datasets() -> dict[str, str]:
    """Return of each data set whether its files are there, without reading them."""
    from spikedoor.data.files import data_root
    from spikedoor.data.source import DATASETS

    root = data_root()
    told = {}
    for name in DATASETS.names():
        source = cast("type[DataSource]", DATASETS[name])
        missing = source.lacks(root)
        if any(field.is_required() for field in source.model_fields.values()):
            told[name] = "your own files"
        elif not source.remotes and not source.needs:
            told[name] = "built in"
        else:
            told[name] = "present" if missing is None else f"missing {missing}"
    return told
