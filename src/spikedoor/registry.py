"""Name -> component: the members of each family, ours and those of third parties."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from spikedoor.errors import ConfigError, hint
from spikedoor.plugins import explained, load_named

if TYPE_CHECKING:
    from spikedoor.component import Component

__all__ = ["Card", "Code", "Family", "code_of", "others"]

_OURS = "spikedoor."
_code: dict[str, Code] = {}  # of components that are not ours, by name

C = TypeVar("C", bound="type[Component]")


@dataclass(frozen=True)
class Card:
    """Where a component comes from.

    Args:
        source: Authors and year, with the short title, or empty for our own.
        link: Where to read it.
    """

    source: str = ""
    link: str = ""


@dataclass(frozen=True)
class Code:
    """The file of a component that is not ours.

    Args:
        sha256: Of its content; of what has no file, of its name.
        file: Its path where it may be named as a plug-in; None of what was made in a notebook or
            is part of a package.
    """

    sha256: str
    file: str | None


class Family:
    """The registered components of one kind.

    Args:
        kind: What a member is called in messages, e.g. ``"trigger"``.
        home: Module whose import registers our own members.

    Third parties join by the decorator, in a module that is imported or in a file that is named as
    a plug-in (`spikedoor.plugins`), or by an entry point in the group ``spikedoor.<kind>`` that
    names a module or class to import.
    """

    def __init__(self, kind: str, home: str) -> None:
        self.kind = kind
        self.home = home
        self._members: dict[str, type[Component]] = {}
        self._complete = False

    def register(self, name: str, source: str = "", link: str = "") -> Callable[[C], C]:
        """Class decorator: enter a component under a name.

        A class that is defined again, as by a cell of a notebook, takes its own place.

        Raises:
            ConfigError: If another class has the name, or the class has no docstring.
        """

        def enter(cls: C) -> C:
            there = self._members.get(name)
            if there is not None and _address(there) != _address(cls):
                raise ConfigError(
                    f"{self.kind} '{name}' is registered already, in {_file_of(there) or 'here'}; "
                    f"choose another name for {cls.__qualname__}"
                )
            if not (cls.__doc__ or "").strip():
                raise ConfigError(
                    f"{self.kind} '{name}': expected a docstring in class {cls.__qualname__}, "
                    "whose first line says what it does; found none"
                )
            cls.name = name
            cls.card = Card(source, link)
            self._members[name] = cls
            if not cls.__module__.startswith(_OURS):
                _code[name] = _code_of(cls)
            return cls

        return enter

    def _complete_members(self) -> None:
        if self._complete:
            return
        self._complete = True
        try:
            import_module(self.home)
            for point in entry_points(group=f"spikedoor.{self.kind}"):
                with explained(f"entry point '{point.name}' of {point.group} ({point.value})"):
                    point.load()
            load_named()
        except BaseException:
            self._complete = False
            raise

    def names(self) -> list[str]:
        """Return the names of all members, sorted."""
        self._complete_members()
        return sorted(self._members)

    def __getitem__(self, name: str) -> type[Component]:
        self._complete_members()
        if name not in self._members:
            near = hint(name, self._members, listed=False)
            known = f"{hint(name, self._members)}; one of your own comes with --plugin FILE"
            raise ConfigError(f"unknown {self.kind} '{name}'{near or known}")
        return self._members[name]

    def parse(self, value: Any) -> Component:
        """Turn a member, a name, or a table with ``name`` and fields into a member.

        Raises:
            ConfigError: If the name is unknown or missing. Wrong fields raise pydantic's error,
                which `component.explain` puts into words.
        """
        if isinstance(value, BaseModel) and getattr(value, "family", None) is self:
            return cast("Component", value)
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict):
            raise ConfigError(
                f"expected a {self.kind} (a name or a table with 'name'), got {value!r}"
            )
        fields = dict(value)
        name = fields.pop("name", None)
        if not isinstance(name, str):
            raise ConfigError(f"a {self.kind} needs a 'name'{hint('', self.names())}")
        return self[name].model_validate(fields)


def code_of(value: Any) -> dict[str, str]:
    """Return the SHA-256 of the files of components that plain values name and that are not ours.

    Results that are kept under a hash of their configuration hang on it, so that another version
    of the file gives other keys. Of a file, what it imports is not looked at.
    """
    return {name: code.sha256 for name, code in others(value).items()}


def others(value: Any) -> dict[str, Code]:
    """Return the code of components that plain values name and that are not ours, by name."""
    if isinstance(value, list | tuple):
        return {name: code for item in value for name, code in others(item).items()}
    if not isinstance(value, dict):
        return {}
    found = others(list(value.values()))
    name = value.get("name")
    return {**found, name: _code[name]} if isinstance(name, str) and name in _code else found


def _file_of(cls: type[Component]) -> str | None:
    """Return the file that a class stands in; None of a class made in a notebook."""
    return getattr(sys.modules.get(cls.__module__), "__file__", None)


def _code_of(cls: type[Component]) -> Code:
    file = _file_of(cls)
    content = Path(file).read_bytes() if file else cls.__qualname__.encode()
    packaged = getattr(sys.modules.get(cls.__module__), "__package__", None)
    return Code(sha256(content).hexdigest(), None if packaged else file)


def _address(cls: type[Component]) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def explainable(error: ValidationError) -> list[tuple[tuple[int | str, ...], str]]:
    """Flatten a pydantic error, nested components included, into (location, message) pairs."""
    lines: list[tuple[tuple[int | str, ...], str]] = []
    for item in error.errors(include_url=False):
        inner = item.get("ctx", {}).get("error")
        if isinstance(inner, ValidationError):
            lines += [((*item["loc"], *loc), text) for loc, text in explainable(inner)]
            continue
        if item["type"] == "extra_forbidden":
            text = "unknown key"
        elif item["type"] == "missing":
            text = "field required"
        elif isinstance(inner, Exception):
            text = str(inner)
        else:
            text = f"{item['msg'][0].lower()}{item['msg'][1:]}, got {item['input']!r}"
        lines.append((item["loc"], text))
    return lines
