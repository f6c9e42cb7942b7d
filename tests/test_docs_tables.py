"""The tables of README and documentation are those made from the results and the registry."""

import json
import re
import sys
from importlib import import_module

import pytest
from document_cases import ROOT


@pytest.fixture(scope="module")
def tables():
    before = list(sys.path)
    sys.path.insert(0, str(ROOT / "docs"))
    yield import_module("tables")
    sys.path[:] = before


def test_the_tables_are_up_to_date(tables):
    for path in tables.documents():
        text = path.read_text(encoding="utf-8")
        assert tables.filled(text) == text, f"{path.name}: python docs/tables.py --write"


def test_every_table_has_its_place(tables):
    texts = [path.read_text(encoding="utf-8") for path in tables.documents()]
    placed = [found[1] for text in texts for found in tables.PLACE.findall(text)]
    assert sorted(placed) == sorted(tables.TABLES)


def test_a_changed_number_is_put_right(tables):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    number = re.search(r"\d\d\.\d \[", text[text.index("table: overview") :])[0]
    wrong = text.replace(number, "12.3 [")
    assert wrong != text
    assert tables.filled(wrong) == text


def test_every_file_of_results_has_its_commit():
    results = ROOT / "docs" / "results"
    commits = json.loads((results / "commits.json").read_text())
    assert sorted(commits) == sorted(path.stem for path in results.glob("*.csv"))
    assert all(re.fullmatch(r"[0-9a-f]{7,}", commit) for commit in commits.values())
