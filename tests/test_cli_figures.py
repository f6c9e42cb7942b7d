"""Figures of several studies and runs by one call."""

import json

import pytest
from cli_cases import TINY


@pytest.fixture
def studies(tmp_path, cli):
    """Make two sweeps and a run, so tiny that figures have little to say."""
    (tmp_path / "tiny.toml").write_text(TINY)
    for name, rates in (("low", [0.05, 0.1]), ("high", [0.2, 0.3])):
        (tmp_path / f"{name}.toml").write_text(
            f'base = "tiny.toml"\nseeds = [0]\ngrid.attack.rate = {rates}\n'
        )
        cli("sweep", f"{name}.toml")
    cli("run", "tiny.toml", "--no-twin")


@pytest.mark.usefixtures("studies")
def test_each_source_has_figures_of_its_own(cli, tmp_path):
    code, out, err = cli(
        "figures", "low.toml", "high.toml", "runs/tiny-1", "--kind", "rate,traces", "--json"
    )
    assert (code, err) == (0, "")
    files = [file for one in json.loads(out) for file in one["files"]]
    assert files == ["figures/low-rate.pdf", "figures/high-rate.pdf", "figures/traces.pdf"]
    assert all((tmp_path / file).read_bytes().startswith(b"%PDF") for file in files)


@pytest.mark.parametrize(
    ("sources", "kinds", "told"),
    [
        (["low.toml"], "traces", "low.toml is no folder"),
        (["low.toml", "run"], "rate", "run: a folder serves --kind traces"),
        (["run"], "traces,rate", "the others need a STUDY.toml"),
        (["low.toml", "run"], "traces", "low.toml is no folder"),
        (["low.toml", "other/low.toml"], "rate", "two sources are called 'low'"),
    ],
)
def test_a_source_that_nothing_is_drawn_from_is_refused(cli, tmp_path, sources, kinds, told):
    (tmp_path / "run").mkdir()
    code, out, err = cli("figures", *sources, "--kind", kinds)
    assert (code, out) == (2, "")
    assert told in err
    assert not (tmp_path / "figures").exists()


def test_what_is_drawn_beside_migration_is_drawn_as_without_it(cli, tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY)
    (tmp_path / "two.toml").write_text(
        'base = "tiny.toml"\nseeds = [0]\ngrid.attack.rate = [0.1, 0.3]\n'
        'set.rule = { name = "conversion", steps = 4, ann = { epochs = 1 } }\n'
    )
    cli("sweep", "two.toml")
    for kinds in ("rate", "migration", "rate,migration"):
        code, _, err = cli(
            "figures", "two.toml", "--kind", kinds, "--format", "svg", "--out", kinds
        )
        assert (code, err) == (0, "")
    for name in ("rate", "migration"):
        alone, beside = (tmp_path / d / f"{name}.svg" for d in (name, "rate,migration"))
        assert alone.read_bytes() == beside.read_bytes()
