"""What the documentation shows works: every block of every page, each page as one session."""

import pytest
from document_cases import ROOT, Reader, blocks

from spikedoor.cli.catalogue import KINDS, family
from spikedoor.plugins import VARIABLE

DOCS = ROOT / "docs"
# These say how hours of measurement were made; studies/ has the files.
MEASURED = ("findings.md", "defences.md", "measured.md", "fuzzing.md")
# Its commands are for a shell: test_docs_extending.py follows it, in processes of its own.
SHELL = ("extending.md",)
NEEDS = {"tutorials/own-model.md": ("snntorch", "nir")}
PAGES = sorted(page for page in DOCS.rglob("*.md") if page.name not in MEASURED + SHELL)
WITH_CODE = [page for page in PAGES if blocks(page)]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_can_be_followed(page, tmp_path, monkeypatch):
    name = page.relative_to(DOCS).as_posix()
    for package in NEEDS.get(name, ()):
        pytest.importorskip(package, reason=f"the page is about networks of {package}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "")  # a page may name a plug-in
    for members in map(family, KINDS):  # what a page registers is gone after it
        members.names()
        monkeypatch.setattr(members, "_members", dict(members._members))
    reader = Reader(name)
    for block in blocks(page):
        reader.read(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_what_does_not_run_says_why(page):
    for block in blocks(page):
        assert block.language in ("python", "pycon", "toml", "sh", "text")
        assert block.language != "text" or block.body.startswith("# not run in the tests: ")
