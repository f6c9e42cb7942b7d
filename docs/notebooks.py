"""Write notebooks of tutorials: python docs/notebooks.py.

A page's text becomes cells of text, its Python cells of code, a file in TOML a cell that writes it,
a command a cell that runs it, and pictures that commands write are shown.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbformat import v4

HERE = Path(__file__).parent
NOTEBOOKS = HERE / "notebooks"
PAGES = ("first-attack", "conversion")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```\n?", re.DOTALL | re.MULTILINE)
PAGE_LINK = re.compile(r"\]\((?![a-z]+:|\.\./)([^)]+\.md)")  # to one in the same folder


def cells(text: str) -> Iterator[tuple[str, str]]:
    """Yield kind and source of each cell of a page."""
    parts = FENCE.split(text)
    for i in range(0, len(parts), 3):
        if words := PAGE_LINK.sub(r"](../tutorials/\1", parts[i]).strip():
            yield "markdown", words
        if i + 2 < len(parts):
            yield from (("code", source) for source in code(parts[i + 1], parts[i + 2]))


def code(language: str, body: str) -> Iterator[str]:
    """Yield the cells of one block.

    Raises:
        ValueError: If a notebook has no way to run it.
    """
    if language == "python":
        yield body.strip()
    elif language == "toml":
        name = body.split("\n", 1)[0].removeprefix("# ")
        yield f"%%writefile {name}\n{body.strip()}"
    elif language == "sh":
        yield "\n".join(f"!{line}" for line in body.splitlines())
        pictures = re.findall(r"--out (\S+\.png)", body)
        if pictures:
            shown = "\n".join(f'display(Image("{name}"))' for name in pictures)
            yield f"from IPython.display import Image, display\n\n{shown}"
    else:
        raise ValueError(f"a block in '{language}' cannot be a cell of a notebook")


def notebook(page: str) -> str:
    """Return the notebook of a page, without outputs."""
    text = (HERE / "tutorials" / f"{page}.md").read_text(encoding="utf-8")
    made: list[Any] = []
    for kind, source in cells(text):
        cell = v4.new_markdown_cell(source) if kind == "markdown" else v4.new_code_cell(source)
        # By content and place, so that the same page gives the same file.
        cell["id"] = hashlib.sha256(f"{len(made)} {source}".encode()).hexdigest()[:8]
        made.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    whole = v4.new_notebook(cells=made, metadata={"kernelspec": kernel})
    nbformat.validate(whole)
    return nbformat.writes(whole) + "\n"


def main() -> None:
    """Write all of them."""
    NOTEBOOKS.mkdir(exist_ok=True)
    for page in PAGES:
        (NOTEBOOKS / f"{page}.ipynb").write_text(notebook(page), encoding="utf-8")


if __name__ == "__main__":
    main()
