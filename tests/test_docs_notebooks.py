"""The notebooks are those of their tutorials, whose blocks run in test_docs_examples.py."""

import sys
from importlib import import_module

import pytest
from document_cases import ROOT, blocks

PAGES = ("first-attack", "conversion")


@pytest.fixture(scope="module")
def notebooks():
    pytest.importorskip("nbformat", reason="pip install spikedoor[docs]")
    before = list(sys.path)
    sys.path.insert(0, str(ROOT / "docs"))
    yield import_module("notebooks")
    sys.path[:] = before


@pytest.mark.parametrize("page", PAGES)
def test_a_notebook_is_up_to_date(notebooks, page):
    text = (ROOT / "docs" / "notebooks" / f"{page}.ipynb").read_text(encoding="utf-8")
    assert notebooks.notebook(page) == text, "python docs/notebooks.py"


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_a_cell(notebooks, page):
    place = ROOT / "docs" / "tutorials" / f"{page}.md"
    cells = [source for kind, source in notebooks.cells(place.read_text()) if kind == "code"]
    shown = [cell for cell in cells if not cell.startswith("from IPython")]
    assert len(shown) == len(blocks(place))
    assert any(cell.startswith("%%writefile") for cell in shown)


def test_a_block_that_no_cell_can_run_is_refused(notebooks):
    with pytest.raises(ValueError, match="'pycon' cannot be a cell"):
        list(notebooks.cells("```pycon\n>>> 1\n```\n"))
