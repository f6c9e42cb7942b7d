"""What README says works: its example, its experiment, its commands, and the files it points to."""

import re

import pytest
from document_cases import ROOT, Reader, blocks, commands

README = ROOT / "README.md"


@pytest.fixture
def reader(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Reader("README.md")


def found(language, containing):
    return next(b for b in blocks(README) if b.language == language and containing in b.body)


def test_the_python_example_runs(reader, capsys):
    reader.read(found("python", "import spikedoor"))
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed] == ["ann", "converted"]


def test_the_experiment_and_the_commands_run(reader):
    reader.read(found("toml", "# experiment.toml"))
    block = found("sh", "spikedoor check")
    said = {line.split()[1]: reader.run(line) for line in commands(block)}
    assert "LR_C conversion" in said["run"]
    assert "AUROC" in said["defend"]


def test_every_block_is_tested():
    kinds = [block.language for block in blocks(README)]
    assert kinds == ["sh", "python", "toml", "sh"]  # the first of them, make, is what CI runs


def test_the_files_it_points_to_are_there():
    text = README.read_text(encoding="utf-8")
    for path in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", text):
        assert (ROOT / path).exists(), path
