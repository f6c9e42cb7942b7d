"""How Sphinx builds the documentation: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

import spikedoor  # noqa: E402

project = "spikedoor"
author = "The spikedoor developers"
project_copyright = "the spikedoor developers, Apache-2.0"
version = release = spikedoor.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "cards"]
html_theme = "furo"
html_title = "spikedoor"
html_theme_options = {"navigation_with_keys": True}

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
# A single backtick in a docstring is a name of ours or a value; where it is a name, it links.
default_role = "py:obj"

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "groupwise"
autodoc_default_options = {"exclude-members": "model_config, model_post_init"}
napoleon_google_docstring = True
napoleon_use_rtype = False
napoleon_custom_sections = [
    "Deviations", ("Shapes", "notes_style"), ("Needs", "notes_style"), ("Looks at", "notes_style"),
    ("Fails", "notes_style"),
]  # fmt: skip
