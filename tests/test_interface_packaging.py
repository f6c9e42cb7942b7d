"""What `import spikedoor` gives and costs, and what the package ships."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import spikedoor

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "spikedoor"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

PUBLIC = [
    "Attack",
    "Evaluation",
    "Experiment",
    "Victim",
    "__version__",
    "attack",
    "data",
    "evaluate",
    "load",
    "metrics",
    "rules",
    "run",
    "snn",
]


def python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_loads_nothing_but_the_standard_library():
    loaded = python(
        "import sys\n"
        "before = set(sys.modules)\n"
        "import spikedoor\n"
        "print(*sorted(set(sys.modules) - before))"
    ).split()
    allowed = sys.stdlib_module_names | {"spikedoor"}
    assert [name for name in loaded if name.partition(".")[0] not in allowed] == []
    assert [name for name in loaded if name.startswith("spikedoor")] == ["spikedoor"]


def test_public_names_are_the_stored_list():
    assert spikedoor.__all__ == PUBLIC
    assert set(PUBLIC) <= set(dir(spikedoor))


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_is_there(name):
    value = getattr(spikedoor, name)
    assert getattr(spikedoor, name) is value
    if name.islower() and hasattr(value, "__path__"):
        assert value.__name__ == f"spikedoor.{name}"
    elif name != "__version__":
        assert value.__name__ == name


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'spikedoor' has no attribute 'attach'"):
        spikedoor.attach  # type: ignore[attr-defined]  # noqa: B018


def test_version_is_that_of_the_metadata():
    try:
        installed = importlib.metadata.version("spikedoor")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("spikedoor is not installed here, it runs from src")
    assert spikedoor.__version__ == installed


def test_version_is_the_same_everywhere():
    version = PROJECT["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text()


def test_every_file_of_the_package_ships():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["spikedoor"]
    built = {".py", ".c", ".so", ".pyc"}
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in built}
    shipped = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    assert PACKAGE / "py.typed" in shipped
    assert sorted(files - shipped) == []


def test_every_folder_of_code_is_a_package():
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert sorted(folder for folder in folders if not (folder / "__init__.py").exists()) == []


def requirements() -> list[str]:
    extras = PROJECT["project"]["optional-dependencies"].values()
    return [*PROJECT["project"]["dependencies"], *(line for extra in extras for line in extra)]


@pytest.mark.parametrize("line", requirements())
def test_constraints_pin_a_version_that_the_requirement_allows(line):
    wanted = Requirement(line)
    pins = dict(
        pin.lower().replace("_", "-").split("==")
        for pin in (ROOT / "constraints.txt").read_text().splitlines()
        if not pin.startswith("#")
    )
    assert wanted.specifier.contains(pins[wanted.name])


def test_constraints_pin_torch_for_every_machine():
    # A local version such as 2.13.0+cpu is not on the public index.
    pins = (ROOT / "constraints.txt").read_text()
    assert re.search(r"^torch==\d+\.\d+\.\d+$", pins, flags=re.MULTILINE)
    assert "spikedoor" not in pins


def libraries() -> list[Path]:
    return sorted((PACKAGE / "snn" / "kernels").glob("_neuron_*.so"))


@pytest.mark.skipif(not libraries(), reason="no compiled CPU kernel here")
def test_loading_the_kernels_leaves_denormal_numbers_alone():
    # -ffast-math at link time would set flush-to-zero for the whole process.
    half = python(
        "import ctypes, sys\n"
        f"for path in {[str(path) for path in libraries()]!r}:\n"
        "    ctypes.CDLL(path)\n"
        "print(sys.float_info.min / 2)"
    )
    assert float(half) == sys.float_info.min / 2 > 0


def test_every_verb_of_the_makefile_is_explained():
    lines = (ROOT / "Makefile").read_text().splitlines()
    verbs = next(line for line in lines if line.startswith(".PHONY:")).split()[1:]
    explained = [line.split(":")[0] for line in lines if re.match(r"[a-z]+:.* ## ", line)]
    assert sorted(verbs) == sorted(explained)
