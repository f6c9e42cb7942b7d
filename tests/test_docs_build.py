"""The documentation builds without a warning, and has a card for every method."""

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from spikedoor.cli.catalogue import KINDS, family

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    pytest.importorskip("sphinx", reason="pip install spikedoor[docs]")
    out = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    done = subprocess.run([*command, DOCS, out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_every_method_has_a_card(built, kind):
    members = family(kind)
    page = (built / "methods" / f"{kind}.html").read_text(encoding="utf-8")
    titles = re.findall(r"<h2>(.*?)<a ", page)
    assert titles == members.names()


ROOMS = ("data", "attack", "victim", "rules", "metrics", "defences", "records", "study", "testing")


@pytest.mark.parametrize("room", ROOMS)
def test_the_public_names_of_a_room_are_described(built, room):
    module = import_module(f"spikedoor.{room}")
    html = (built / "api" / f"{room}.html").read_text(encoding="utf-8")
    described = set(re.findall(rf'<dt [^>]*id="{re.escape(module.__name__)}\.(\w+)"', html))
    public = {name: getattr(module, name) for name in module.__all__}
    told = {name for name, it in public.items() if inspect.isclass(it) or inspect.isfunction(it)}
    assert told <= described
