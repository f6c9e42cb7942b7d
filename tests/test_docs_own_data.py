"""What docs/own-data.md says works: ten lines of Python, and the table of its study."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import spikedoor

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "own-data.md").read_text(encoding="utf-8")
SOURCE, IN_MEMORY = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def run(*arguments, folder=ROOT):
    """Run Python in a fresh process, so that nothing joins the families of this one."""
    path = str(Path(spikedoor.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)


def test_a_data_set_of_ten_lines_is_audited_by_its_name(tmp_path):
    (tmp_path / "stripes.py").write_text(SOURCE, encoding="utf-8")
    assert len(re.findall(r"^\s*[^#\s\"@].*$", SOURCE.split("@")[1], re.MULTILINE)) <= 10
    audit = "audit", "--data", "stripes", "--json"
    done = run("-m", "spikedoor", "--plugin", "stripes.py", *audit, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["samples"] == 500
    assert (tmp_path / "runs" / "audit-1" / "suspects.png").is_file()


def test_arrays_in_memory_are_audited():
    done = run("-c", IN_MEMORY)
    assert done.stdout == "nothing found []\n", done.stderr


def test_the_table_is_that_of_the_results():
    done = run("studies/data_audit.py", "--table")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") > 10
    assert done.stdout in TEXT
