"""Components of others: from a named file, from a package with an entry point, in workers."""

import os
import shlex
import sys
import textwrap
from hashlib import sha256
from pathlib import Path

import pytest
from cli_cases import TINY

from spikedoor import plugins, registry
from spikedoor.attack.triggers.base import TRIGGERS
from spikedoor.cli.catalogue import family as registry_of
from spikedoor.errors import PluginError
from spikedoor.records import Record
from spikedoor.registry import Family
from spikedoor.study.nodes import Node


@pytest.fixture
def named(monkeypatch, tmp_path):
    """Name files in this process, and forget them after."""
    monkeypatch.setenv(plugins.VARIABLE, "")
    before = set(sys.modules)

    def write(text: str, name: str = "mine.py") -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return path

    yield write
    for name in set(sys.modules) - before:
        if name.startswith("spikedoor_plugin_"):
            del sys.modules[name]


def toys(monkeypatch) -> Family:
    """Return an empty family that a plug-in can find."""
    made = Family("toy", home=__name__)
    monkeypatch.setattr(registry, "TOYS", made, raising=False)
    return made


TOY = '''
from spikedoor.component import Component
from spikedoor.registry import TOYS

@TOYS.register("ball")
class Ball(Component):
    """A ball."""

    size: int = 1
    """Its size."""
'''


PATCH = '''
from spikedoor.attack.triggers import TRIGGERS
from spikedoor.attack.triggers.patch import Patch

@TRIGGERS.register("ball")
class Ball(Patch):
    """A patch under another name."""
'''


class TestFile:
    def test_joins_where_members_are_asked_for_and_runs_once(self, named, monkeypatch):
        family = toys(monkeypatch)
        file = plugins.add(named(TOY + "\nprint('run')"))
        assert os.environ[plugins.VARIABLE] == str(file)
        assert plugins.add(file) == file
        assert os.environ[plugins.VARIABLE] == str(file)
        assert family.names() == ["ball"]
        plugins.load(file)
        assert family["ball"].model_fields["size"].description == "Its size."

    def test_loaded_late_joins_at_once(self, named, monkeypatch):
        family = toys(monkeypatch)
        assert family.names() == []
        plugins.load(named(TOY))
        assert family.names() == ["ball"]

    def test_that_the_user_has_imported_is_not_run_again(self, named, monkeypatch):
        family = toys(monkeypatch)
        file = named(TOY, "imported_by_user.py")
        monkeypatch.syspath_prepend(str(file.parent))
        __import__("imported_by_user")
        plugins.add(file)
        assert family["ball"].__module__ == "imported_by_user"
        del sys.modules["imported_by_user"]

    def test_mended_after_an_error_takes_its_place(self, named, monkeypatch):
        family = toys(monkeypatch)
        file = named(TOY + "\n1 / 0\n")
        with pytest.raises(PluginError, match="division by zero"):
            plugins.load(file)
        with pytest.raises(PluginError, match="division by zero"):
            family.names()
        named(TOY.replace("= 1", "= 2"))
        assert family.parse("ball").to_dict() == {"name": "ball", "size": 2}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("x = (", r"mine\.py, line 1: SyntaxError: '\(' was never closed"),
            ("import no_such_module", r"mine\.py, line 1: ModuleNotFoundError: No module"),
            (
                "raise ModuleNotFoundError('no torch', name='torch')",
                r"mine\.py, line 1: ModuleNotFoundError: no torch; table, report and figures",
            ),
            ("\n\nundefined", r"mine\.py, line 3: NameError: name 'undefined'"),
            (TOY + TOY.replace("Ball", "Other"), r"line 15: toy 'ball' is registered already"),
            (TOY.replace('"""A ball."""', ""), r"line 5: toy 'ball': expected a docstring in"),
        ],
        ids=["syntax", "import", "torch", "name", "taken", "docstring"],
    )
    def test_that_fails_is_one_line_with_its_place(self, named, monkeypatch, text, message):
        toys(monkeypatch)
        with pytest.raises(PluginError, match=message) as error:
            plugins.load(named(text))
        assert "\n" not in str(error.value)

    def test_that_is_not_there_or_no_python_is_refused(self, named, tmp_path, monkeypatch):
        with pytest.raises(PluginError, match=r"none\.py: expected a Python file, found no such"):
            plugins.add(tmp_path / "none.py")
        with pytest.raises(PluginError, match="found a folder"):
            plugins.add(tmp_path)
        with pytest.raises(PluginError, match=r"ends in \.py"):
            plugins.add(named(TOY, "mine.txt"))
        monkeypatch.setenv(plugins.VARIABLE, "mine.py")
        with pytest.raises(PluginError, match=r"expected absolute paths, got 'mine\.py'"):
            plugins.load_named()


def test_results_hang_on_the_code_of_others_and_not_on_that_of_ours(named, monkeypatch):
    family = toys(monkeypatch)
    file = named(TOY)
    keys = []
    for text in (TOY, TOY + "\n# changed\n"):
        file.write_text(text)
        plugins.load(file)
        config = {"attack": {"toys": [{"name": "ball", "size": 1}]}}
        keys.append(Node("poison", config).key)
        keys.append(Node("poison", {"attack": {"name": "patch"}}).key)
        keys.append(Node("direct", {}, means={"rule": {"name": "ball"}}).key)
        sys.modules.pop(family["ball"].__module__)
    assert len(set(keys)) == 5
    assert keys[1] == keys[4]


def test_an_entry_point_of_a_package_joins(tmp_path, monkeypatch):
    family = toys(monkeypatch)
    (tmp_path / "toy_shop.py").write_text(TOY)
    info = tmp_path / "toy_shop-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-shop\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[spikedoor.toy]\nball = toy_shop\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "toy_shop", raising=False)
    assert family.names() == ["ball"]
    assert family["ball"].__module__ == "toy_shop"
    (tmp_path / "toy_shop.py").write_text("1 / 0")
    del sys.modules["toy_shop"]
    with pytest.raises(PluginError, match=r"entry point 'ball' of spikedoor\.toy .*: Zero"):
        toys(monkeypatch).names()


def test_the_page_of_a_run_has_the_command_that_repeats_it_with_its_plug_ins(cli, monkeypatch):
    monkeypatch.setenv(plugins.VARIABLE, "")
    monkeypatch.setattr(TRIGGERS, "_members", dict(TRIGGERS._members))
    monkeypatch.setattr(TRIGGERS, "_complete", False)  # as in a fresh process
    monkeypatch.setattr(registry, "_code", dict(registry._code))
    Path("my plug-ins").mkdir()
    Path("my plug-ins/ball.py").write_text(PATCH)
    Path("unused.py").touch()
    Path("tiny.toml").write_text(TINY.replace('"patch"', '"ball"'))
    use = ("--plugin", "my plug-ins/ball.py", "--plugin", "unused.py")
    code, _, err = cli("run", "tiny.toml", "--out", "one", *use)
    assert (code, err) == (0, "")
    first = Record.read("one")
    assert first.plugins == {"my plug-ins/ball.py": sha256(PATCH.encode()).hexdigest()}
    assert cli("report", "one")[0] == 0
    page = Path("report.html").read_text()
    told = "spikedoor run one/record.json --plugin 'my plug-ins/ball.py'"
    assert f'"{told}"' in page
    assert first.plugins["my plug-ins/ball.py"] in page
    monkeypatch.setenv(plugins.VARIABLE, "")
    assert cli(*shlex.split(told)[1:], "--out", "two")[0] == 0
    again = Record.read("two").evaluation.answers["direct"]
    assert (again.clean == first.evaluation.answers["direct"].clean).all()


@pytest.mark.parametrize("key", ["plugins", "plugin", plugins.VARIABLE])
def test_no_file_of_a_stranger_can_name_code(cli, key):
    Path("evil.py").write_text("open('harm', 'w').close()")
    Path("stranger.toml").write_text(f'{key} = "{Path("evil.py").absolute()}"\n')
    code, _, err = cli("check", "stranger.toml")
    assert code == 2
    assert "unknown key" in err
    assert not Path("harm").exists()


def test_a_file_that_fails_is_told_once(cli, monkeypatch):
    monkeypatch.setenv(plugins.VARIABLE, "")
    for family in (registry_of("datasets"), registry_of("triggers")):
        monkeypatch.setattr(family, "_complete", False)  # as in a fresh process
    Path("bad.py").write_text("x = 1\n1 / 0\n")
    code, out, err = cli("--plugin", "bad.py", "check", "digits")
    assert (code, out, err.count("bad.py")) == (2, "", 1)
    assert err.endswith("bad.py, line 2: ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize("after", [False, True])
def test_the_option_stands_before_the_verb_or_after_it(cli, monkeypatch, after):
    monkeypatch.setenv(plugins.VARIABLE, "")
    Path("mine.py").touch()
    option = ["--plugin", "mine.py"]
    assert cli(*(["env", *option] if after else [*option, "env"]))[0] == 0
    assert os.environ[plugins.VARIABLE] == str(Path("mine.py").absolute())
    assert "found no such file" in cli("list", "--plugin", "none.py")[2]
