"""The verb that writes a component to begin with: new."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from spikedoor.cli.catalogue import family
from spikedoor.cli.output import print_json, remark, say

__all__ = ["new"]

NEW_EXAMPLES = """\b
Examples:
  spikedoor new trigger corner-cross --out mine.py
  python -m pytest test_mine.py
  spikedoor --plugin mine.py show trigger corner-cross
"""

Kind = Literal["trigger", "converter", "rule", "detector", "eliminator", "source"]
_FAMILIES = {"detector": "defence", "eliminator": "defence", "source": "dataset"}


def new(
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help="What to write.", show_choices=True)],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, such as corner-cross.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Python file to write; NAME.py by default.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a small working component to begin with.

    And a test of it beside it. KIND is trigger, converter, rule, detector, eliminator or source
    (of data).
    """
    from spikedoor.errors import ConfigError
    from spikedoor.files import write_file

    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise ConfigError(f"expected a name of lower-case words and hyphens, got '{name}'")
    members = family(_FAMILIES.get(kind, kind))
    if name in members.names():
        raise ConfigError(f"{members.kind} '{name}' is there already; choose another name")
    file = out or Path(f"{name.replace('-', '_')}.py")
    test = file.with_name(f"test_{file.name}")
    if file.suffix != ".py" or not file.stem.isidentifier() or keyword.iskeyword(file.stem):
        raise ConfigError(f"--out: expected a Python file such as mine.py, got '{file}'")
    for path in (file, test):
        _refuse_what_is_there(path)
    write_file(file, _filled(kind, name, file.stem).encode())
    write_file(test, _filled(f"{kind}_test", name, file.stem).encode())
    if json:
        print_json({"component": str(file), "test": str(test)})
        return
    say(f"Wrote {file}: a {kind} that works; make it yours.")
    say(f"Wrote {test}: run it with python -m pytest {test}")
    remark(f"Use it: spikedoor --plugin {file} show {members.kind} {name}")


def _refuse_what_is_there(path: Path) -> None:
    from spikedoor.errors import OutputError

    if path.exists() or path.is_symlink():
        raise OutputError(f"{path}: there is a file already; name another one with --out")


def _filled(template: str, name: str, module: str) -> str:
    """Return the text of a template with the names of the user."""
    from importlib.resources import files

    text = files("spikedoor.testing._templates").joinpath(f"{template}.py").read_text("utf-8")
    kind = template.removesuffix("_test")
    words = "".join(word.capitalize() for word in name.split("-"))
    for theirs, ours in (
        (f"My{kind.capitalize()}", words),
        (f"my-{kind}", name),
        ("my_plugin", module),
    ):
        text = text.replace(theirs, ours)
    return text
