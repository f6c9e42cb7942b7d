"""Settings of the whole suite; the command line, experiment, store and browser as fixtures."""

import os
import shutil
import signal

import pytest
import torch
from cli_cases import TINY

from spikedoor.cli import main
from spikedoor.records import Store
from spikedoor.report.page import page

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


@pytest.fixture(scope="session")
def browser():
    """Start a browser without a window."""
    sync = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Debian's chromium")
    with sync.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Return what opens a page, and all that went wrong or was asked of any network."""
    wrong: list[str] = []
    asked: list[str] = []

    def show(content, **context):
        (tmp_path / "page.html").write_bytes(page(content))
        tab = browser.new_page(**context)
        tab.on("console", lambda message: wrong.append(message.text))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto((tmp_path / "page.html").as_uri())
        return tab

    yield show
    assert not wrong
    assert all(address.startswith(("file:", "data:")) for address in asked)
