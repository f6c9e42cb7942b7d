"""Mistakes on the command line: one line of error, and nothing left behind."""

import json

import pytest
from cli_cases import files

from spikedoor.cli import main


def test_mistakes_are_one_line(cli, tmp_path, tiny):
    (tmp_path / "bad.toml").write_text("seed = [1")
    (tmp_path / "latin.toml").write_bytes(b"x = '\xff'")
    (tmp_path / "deep.toml").write_text("x = " + "[" * 100_000)
    (tmp_path / "sweep.toml").write_text('base = "tiny.toml"')
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    (tmp_path / "file").touch()
    (tmp_path / "void.toml").touch()
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "record.json").write_text("{}")
    cut = tmp_path / "cut" / "MNIST" / "raw"
    cut.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (cut / f"{name}-ubyte").write_bytes(b"\0\0\x08\x03\0\0\0\x09")
    mistakes = [
        (2, "did you mean 'run'", ["rnu"]),
        (2, "--sed", ["run", tiny, "--sed", 1]),
        (2, "Missing argument 'FILE.toml'", ["run"]),
        (2, "'--seed': input should be greater than or equal to 0", ["run", tiny, "--seed", -1]),
        (2, "missing.toml: cannot be read (No such file", ["run", "missing.toml"]),
        (2, "tinny.toml: cannot be read (No such file or directory); did you mean 'tiny.toml'?",
         ["run", "tinny.toml"]),
        (2, "no preset or file 'tiny.tmol'; did you mean 'tiny.toml'?", ["check", "tiny.tmol"]),
        (2, "'spikedoor list presets' names the presets", ["run", "nothing"]),
        (2, "found a sweep; see 'spikedoor sweep'", ["run", "sweep.toml"]),
        (2, "found one experiment; see 'spikedoor run'", ["sweep", tiny]),
        (2, "full: expected a file in TOML, found a folder", ["check", "full"]),
        (2, "full: expected a file in TOML, found a folder", ["sweep", "full"]),
        (2, "void.toml: expected a sweep, found no key in it", ["sweep", "void.toml"]),
        (3, "file ending in .nir, or --data alone, found nothing there; did you mean 'full'?",
         ["audit", "fulll"]),
        (3, "with record.json) or of a victim (victim.json)", ["audit", "file"]),
        (3, "full: expected a folder that 'spikedoor run' has made, with record.json, found a",
         ["defend", "full", "--with", "beatrix"]),
        (3, "file: expected a folder that 'spikedoor run' has made", ["probe", "file"]),
        (3, "or a sweep's FILE.toml, found nothing there", ["report", "nothing"]),
        (3, "wrong: the record is damaged ('schema' is missing)", ["report", "wrong"]),
        (2, "bad.toml: not valid TOML", ["run", "bad.toml"]),
        (2, "latin.toml: not valid TOML", ["run", "latin.toml"]),
        (2, "deep.toml: not valid TOML", ["run", "deep.toml"]),
        (2, "rule: unknown rule 'dirct'; did you mean 'direct'?",
         ["run", tiny, "--set", "rule=dirct"]),
        (2, "unknown key; did you mean 'rate'?", ["run", tiny, "--set", "attack.rat=1"]),
        (2, "unknown key; did you mean 'epochs'?",
         ["run", tiny, "--set", "rule.training.epoch=1"]),
        (2, "attack.rate: input should be less than or equal to 1, got 2",
         ["run", tiny, "--set", "attack.rate=2"]),
        (2, "expected key=value", ["run", tiny, "--set", "attack.rate"]),
        (2, "does not fit", ["run", tiny, "--set", "attack.trigger.size=9"]),
        (2, "label 10 is not one of the 10 classes", ["run", tiny, "--set", "attack.target=10"]),
        (2, "not empty", ["run", tiny, "--out", "full"]),
        (2, "not empty", ["demo", "--out", "full"]),
        (2, "found a file", ["run", tiny, "--out", "file"]),
        (2, "no folder", ["run", tiny, "--out", "file/below"]),
        (2, "no folder", ["demo", "--out", "file/below"]),
        (2, ".png, .svg or .pdf", ["preview", tiny, "--out", "x.gif"]),
        (2, "unknown kind 'trigers'; did you mean 'triggers'?", ["list", "trigers"]),
        (2, "unknown trigger 'pach'; did you mean 'patch'?", ["show", "trigger", "pach"]),
        (3, "found no such file below the data root",
         ["run", tiny, "--set", "data={name='mnist', root='/nowhere'}"]),
        (3, "ubyte", ["run", tiny, "--set", "data={name='mnist', root='cut'}"]),
    ]  # fmt: skip
    before = files(tmp_path)
    for expected, told, arguments in mistakes:
        code, out, err = cli(*arguments)
        assert err.startswith("error: "), arguments
        assert err.count("\n") == 1, err
        assert told.lower() in err.lower(), err
        assert (code, out) == (expected, ""), arguments
    assert files(tmp_path) == before


def test_check_goes_on_after_a_mistake(cli, tmp_path, tiny):
    (tmp_path / "bad.toml").write_text("rule = 3")
    code, out, err = cli("check", "bad.toml", tiny)
    assert code == 2
    assert out.startswith(f"{tiny}: ok\n")
    assert err.startswith("error: bad.toml: ")
    code, out, err = cli("check", "--json", "bad.toml", tiny)
    assert (code, err) == (2, "")
    assert [entry["ok"] for entry in json.loads(out)] == [False, True]


def test_a_fault_of_ours_keeps_its_traceback(cli, monkeypatch):
    def fault(*arguments):
        raise ZeroDivisionError

    monkeypatch.setattr("spikedoor.cli.catalogue.family", fault)
    with pytest.raises(ZeroDivisionError):
        main(["list", "triggers"])
