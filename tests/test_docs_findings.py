"""The tables of docs/findings.md are those that docs/tables.py prints from the results."""

import re
import runpy
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)


def test_the_tables_are_those_of_the_results(capsys):
    runpy.run_path(str(DOCS / "tables.py"), run_name="__main__")
    printed = TABLE.findall(capsys.readouterr().out)
    shown = TABLE.findall((DOCS / "findings.md").read_text(encoding="utf-8"))
    assert len(printed) == 9
    # What they say of the claims is told in words, and times are of the benchmark.
    others = ("| claim", "| VGG11")
    assert [table for table in shown if not table.startswith(others)] == printed
