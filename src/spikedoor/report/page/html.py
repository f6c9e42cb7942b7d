"""The page itself: plain values in, one self-contained file out."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

from spikedoor.report.page.content import Content
from spikedoor.report.page.size import MOST, fitted

__all__ = ["page"]

_SCRIPTS = ("base", "table", "chart", "samples", "page")
_HOLE = re.compile("@(CSS|DATA|SCRIPT)@")


def page(content: Content) -> bytes:
    """Return a page as HTML in UTF-8; it asks nothing of any network and runs only its own script.

    What comes from records stands in it as data, and is put on the page as text alone. It is at
    most `MOST` bytes long; see `fitted` for what it leaves out to be so.

    Raises:
        ConfigError: If there is too much on it even so.
    """
    assets = files("spikedoor.report.page")
    parts = {
        "CSS": (assets / "page.css").read_text("utf-8"),
        "SCRIPT": "".join((assets / f"{name}.js").read_text("utf-8") for name in _SCRIPTS),
    }
    template = (assets / "page.html").read_text("utf-8")
    rest = len(template.encode()) + sum(len(part.encode()) for part in parts.values())
    shown = fitted(content, lambda value: len(_data(value)), MOST - rest)
    parts["DATA"] = _data(shown.to_dict())
    return _HOLE.sub(lambda hole: parts[hole[1]], template).encode()


def _data(value: Any) -> str:
    """Return JSON in ASCII in which no text of a record can end the element that holds it."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")
