"""An experiment: everything that decides a run, as one typed tree."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator

from spikedoor.attack import Attack
from spikedoor.attack.triggers import check_modality
from spikedoor.component import Component
from spikedoor.data import DataSource
from spikedoor.defences.plan import DefencePlan
from spikedoor.errors import ConfigError, hint
from spikedoor.files import read_plain
from spikedoor.rules import Rule
from spikedoor.snn.networks import Architecture, SmallConv

__all__ = ["Experiment", "beside", "override", "read_table", "with_keys"]

_MAX_TOML, _MAX_JSON = 1 << 20, 1 << 28


class Experiment(Component):
    """Data, attack, network, rule and seed: one value, one run."""

    seed: int = Field(0, ge=0)
    """Of everything random."""
    data: DataSource
    """Data set."""
    attack: Attack = Attack()
    """Attack; a rate of 0 makes a clean run."""
    network: Architecture = SmallConv()
    """Plan of the network."""
    rule: Rule
    """Learning rule."""
    defence: DefencePlan | None = None
    """What is done against the attack, if anything."""
    twin: bool = True
    """Train a clean twin on the same seed, as the control of every claim."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """Where to train; ``auto`` takes a GPU if there is one."""
    threads: int | None = Field(None, ge=1, le=1024)
    """Threads to compute with on the CPU: the last bits of a sum depend on their number. None takes
    as many as torch has; a sweep takes one."""

    @model_validator(mode="after")
    def _of_one_modality(self) -> Self:
        check_modality(self.attack.trigger, self.data)
        self.rule.check_samples(self.data)
        return self

    @model_validator(mode="after")
    def _has_the_stage_to_defend(self) -> Self:
        stages = [phase.stage for phase in self.rule.phases()]
        if self.defence is not None and self.defence.stage == "ann" and "ann" not in stages:
            raise ConfigError(
                f"defence.stage: rule '{self.rule.name}' has no ANN; expected 'final', got 'ann'"
            )
        return self

    def machine(self) -> dict[str, Any]:
        """Return what of the machine decides the last bits of a result: device and threads.

        Raises:
            ConfigError: If a GPU is asked for and there is none.
        """
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ConfigError(
                "device: expected 'cpu' or 'auto', got 'cuda', but torch sees no GPU here"
            )
        device = "cuda" if self.device != "cpu" and torch.cuda.is_available() else "cpu"
        return {"device": device, "threads": self.threads or torch.get_num_threads()}


def read_table(path: str | Path) -> dict[str, Any]:
    """Read a TOML file, or the experiment of a ``record.json``, which is told by its ending.

    Raises:
        ConfigError: If it cannot be read, or is neither.
    """
    path = Path(path)
    try:
        if path.suffix == ".json":
            return dict(json.loads(read_plain(path, _MAX_JSON, follow=True))["experiment"])
        return tomllib.loads(read_plain(path, _MAX_TOML, follow=True).decode())
    except OSError as error:
        near = "" if path.exists() else hint(str(path), beside(path), listed=False)
        raise ConfigError(f"{path}: cannot be read ({error.strerror}){near}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    except RecursionError:
        language = "JSON" if path.suffix == ".json" else "TOML"
        raise ConfigError(f"{path}: not valid {language}: nested too deeply") from None
    except (ValueError, LookupError, TypeError):
        raise ConfigError(f"{path}: expected a record of a run, with its experiment") from None


def beside(path: Path) -> list[str]:
    """Return the TOML files in the folder of a path, as its neighbours are written."""
    return [str(file) for file in path.parent.glob("*.toml")]


def override(table: dict[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Return the table with keys set, each ``"a.b=c"``; c is read as TOML, or else as text.

    See `with_keys`.
    """
    return with_keys(table, [(*_parsed(one), f"--set {one}") for one in settings])


def _parsed(setting: str) -> tuple[list[str], Any]:
    path, equals, text = setting.partition("=")
    keys = [key.strip() for key in path.split(".")]
    if not equals or not all(keys):
        raise ConfigError(f"--set {setting}: expected key=value, such as attack.rate=0.1")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        value = text.strip()
    return keys, value


def with_keys(
    table: dict[str, Any], wishes: Iterable[tuple[list[str], Any, str]]
) -> dict[str, Any]:
    """Return the table with nested keys set: each the way to it, its value, and whose wish it was.

    A component given by its name alone (``rule = "direct"``) becomes a table when a key inside it
    is set. Another component (``rule = "hybrid"`` or ``rule.name = "hybrid"``) takes the place of
    the one before with all its keys. Keys inside it are set after it, whatever the order of the
    wishes.

    Raises:
        ConfigError: If a key on the way is no table.
    """
    for keys, value, what in sorted(wishes, key=lambda wish: len(_place(wish[0]))):
        table = _with_key(table, _place(keys), value, what)
    return table


def _place(keys: list[str]) -> list[str]:
    return keys[:-1] if keys[1:] and keys[-1] == "name" else keys


def _with_key(table: dict[str, Any], keys: list[str], value: Any, what: str) -> dict[str, Any]:
    head, *rest = keys
    if not rest:
        return {**table, head: value}
    inner = table.get(head, {})
    if isinstance(inner, str):
        inner = {"name": inner}
    if not isinstance(inner, dict):
        raise ConfigError(f"{what}: '{head}' is {inner!r}, not a table")
    return {**table, head: _with_key(inner, rest, value, what)}
