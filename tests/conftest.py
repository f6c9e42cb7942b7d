"""Settings of the whole suite; the command line, an experiment and a store as fixtures."""

import os
import signal

import pytest
import torch
from cli_cases import TINY

from spikedoor.cli import main
from spikedoor.records import Store

# A suite started in the background ignores interrupts, and what it starts would do so too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Small tensors gain nothing from a second thread, and several test runs at once lose much.
torch.set_num_threads(1)


@pytest.fixture
def cli(tmp_path, monkeypatch, capsys):
    """Run the command line here, in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    handler = signal.getsignal(signal.SIGTERM)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    yield call
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def tiny(tmp_path):
    """Write a tiny experiment here."""
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture
def store(tmp_path):
    """Make an empty store."""
    return Store(tmp_path / "store")


@pytest.fixture(scope="module")
def no_power_cut():
    """Spare these tests the waits for the disk, which show only after a power cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield
