"""The fenced code blocks of a document, and a reader who runs them from top to bottom."""

import doctest
import re
import shlex
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from typer.testing import CliRunner

from spikedoor.cli import app

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
# Ends with 1 where it finds a backdoor, or a number outside its tolerance.
VERDICTS = ("audit", "reproduce")


class Block(NamedTuple):
    """A fenced block."""

    language: str
    body: str


def blocks(path):
    return [Block(*found) for found in FENCE.findall(path.read_text(encoding="utf-8"))]


def commands(block):
    """Return the lines of a shell block without their comments."""
    lines = (line.partition("  #")[0].strip() for line in block.body.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


class Reader:
    """Runs the blocks of one document in the current folder, as one session.

    Python shares its names; a file in TOML or Python is written under the name in its first line;
    of a shell only `spikedoor` is known.
    """

    def __init__(self, name):
        self.name = name
        self.module = ModuleType("document")

    def read(self, block):
        first = re.match(r"# (\S+\.(?:toml|py))\b", block.body)
        if first:
            Path(first[1]).write_text(block.body, encoding="utf-8")
        if block.language in ("python", "pycon"):
            getattr(self, block.language)(block.body)
        elif block.language == "sh":
            for line in commands(block):
                self.run(line)

    def python(self, body):
        exec(compile(body, self.name, "exec"), vars(self.module))

    def pycon(self, body):
        names = vars(self.module)
        test = doctest.DocTestParser().get_doctest(body, names, self.name, self.name, 0)
        told = []
        done = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF).run(
            test, out=told.append, clear_globs=False
        )
        assert done.failed == 0, "".join(told)
        names.update(test.globs)

    def run(self, line):
        program, *arguments = shlex.split(line)
        assert program == "spikedoor", f"{self.name}: {line!r} cannot run in a test"
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        ends = (0, 1) if arguments[0] in VERDICTS else (0,)
        assert result.exit_code in ends, f"{self.name}: {line}\n{result.output}"
        return result.output
