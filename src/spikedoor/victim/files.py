"""A stage as bytes: a description in JSON and weights in safetensors. Reading them runs no code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import torch

from spikedoor.errors import DataError
from spikedoor.snn.encoding import Encoding
from spikedoor.snn.networks import Network
from spikedoor.snn.readout import Readout
from spikedoor.snn.signal import Signal
from spikedoor.victim.blueprint import Blueprint
from spikedoor.victim.stage import Stage, StageName

__all__ = ["described", "stage_from", "weights", "weights_file"]

_SPARE = 1 << 20  # weights that a network may have beyond those in its file


def described(stage: Stage) -> dict[str, Any]:
    """Return all of a stage but its weights, as plain values."""
    return {
        "name": stage.name,
        "blueprint": stage.blueprint.to_dict(),
        "steps": stage.steps,
        "encoding": stage.encoding.to_dict(),
        "readout": stage.readout.to_dict(),
        "notes": stage.notes,
    }


def weights(stage: Stage) -> bytes:
    """Return the weights of a stage's network as the content of a safetensors file."""
    from safetensors.torch import save

    return save({k: v.contiguous().cpu() for k, v in stage.network.state_dict().items()})


def weights_file(entry: dict[str, Any]) -> str:
    """Return the name of the file with the weights of a described stage.

    Raises:
        DataError: If there is no such stage.
    """
    if entry["name"] not in get_args(StageName):
        raise DataError(f"unknown stage '{entry['name']}'")
    return f"{entry['name']}.safetensors"


def stage_from(entry: dict[str, Any], content: bytes) -> Stage:
    """Return the stage of a description and the content of its weights file.

    Raises:
        DataError: If the weights are damaged or do not fit. A description of the wrong form raises
            whatever Python raises.
    """
    blueprint = Blueprint.from_dict(entry["blueprint"])
    stage = Stage(
        entry["name"],
        blueprint,
        _network(weights_file(entry), content, blueprint),
        int(entry["steps"]),
        Encoding.from_dict(entry["encoding"]),
        Readout.from_dict(entry["readout"]),
        entry["notes"],
    )
    stage.network(Signal(torch.zeros(1, *blueprint.shape), 1, 1))
    return stage


def _check_claim(file: str, claimed: Network, state: dict[str, torch.Tensor]) -> None:
    """Check the shapes of a network without memory, so that it may get some.

    Raises:
        DataError: If a weight is of another shape, or the file lacks more weights than folding the
            norms would take away.
    """
    absent = 0
    for name, weight in claimed.named_parameters():
        if name not in state:
            absent += weight.numel()
        elif state[name].shape != weight.shape:
            raise DataError(
                f"{file}: weights do not fit the network described: expected {name} of "
                f"shape {list(weight.shape)}, found {list(state[name].shape)}"
            )
    if absent > _SPARE + sum(weight.numel() for weight in state.values()):
        raise DataError(
            f"{file}: weights do not fit the network described: it lacks {absent} of them"
        )


def _network(file: str, content: bytes, blueprint: Blueprint) -> Network:
    """Build a network and fill it from a file; no memory is filled before the shapes agree."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        state = load(content)
    except SafetensorError as error:
        raise DataError(f"{file}: not a readable safetensors file ({error})") from error
    unfolded = replace(blueprint, folded=False)
    with torch.device("meta"):
        _check_claim(file, unfolded.build(None), state)
    network = unfolded.build(None)
    if blueprint.folded:
        for synapse in network.synapses():
            synapse.fold()
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise DataError(f"{file}: weights do not fit the network described: {reason}") from None
    return network.eval()
