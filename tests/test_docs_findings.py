"""The tables of the documents are those that docs/tables.py prints from the results."""

import re
import runpy
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
# What findings say of claims is told in words; times and tuned attacks are of other commands.
OTHERS = ("| claim", "| VGG11", "| detector |")


def test_the_tables_are_those_of_the_results(capsys):
    runpy.run_path(str(DOCS / "tables.py"), run_name="__main__")
    printed = TABLE.findall(capsys.readouterr().out)
    texts = [(DOCS / name).read_text(encoding="utf-8") for name in ("findings.md", "defences.md")]
    shown = [table for text in texts for table in TABLE.findall(text)]
    assert [table for table in shown if not table.startswith(OTHERS)] == printed
    assert len(printed) == 28
