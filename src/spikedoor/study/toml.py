"""Files of experiments and sweeps as plain tables: found, read, and with keys set. No torch."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spikedoor.errors import ConfigError, hint
from spikedoor.files import read_plain

__all__ = ["located", "override", "presets", "read_table", "with_keys"]

_FOLDER = Path(__file__).parent / "presets"
_MAX_TOML, _MAX_JSON = 1 << 20, 1 << 26


def presets() -> dict[str, Path]:
    """Return the files of the presets that come with the package, by name."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*.toml"), key=lambda path: path.stem)}


def located(name: str | Path) -> Path:
    """Return the file of a preset's name; a path, which ends in ``.toml`` or exists, stays itself.

    Raises:
        ConfigError: If there is no such preset, naming one that is near.
    """
    path = Path(name)
    if path.suffix == ".toml" or path.exists():
        return path
    known = presets()
    if str(name) not in known:
        near = hint(str(name), [*known, *_beside(path)], listed=False)
        where = near or "; 'spikedoor list presets' names the presets"
        raise ConfigError(f"no preset or file '{name}'{where}")
    return known[str(name)]


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
        if path.is_dir():
            run = path / "record.json"
            near = f"; of a run it is '{run}'" if run.is_file() else ""
            raise ConfigError(f"{path}: expected a file in TOML, found a folder{near}") from None
        near = "" if path.exists() else hint(str(path), _beside(path), listed=False)
        raise ConfigError(f"{path}: cannot be read ({error.strerror}){near}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: not valid TOML: byte {error.start} is no UTF-8; expected plain text"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    except RecursionError:
        language = "JSON" if path.suffix == ".json" else "TOML"
        raise ConfigError(f"{path}: not valid {language}: nested too deeply") from None
    except (ValueError, LookupError, TypeError):
        raise ConfigError(f"{path}: expected a record of a run, with its experiment") from None


def _beside(path: Path) -> list[str]:
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
