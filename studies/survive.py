"""Put a sweep through what happens to long runs, and see whether its table is still the same.

    python studies/survive.py kill --times 20
    python studies/survive.py full-disk
    python studies/survive.py together

kill: SIGKILL at random moments, each time resumed. full-disk: a store on a file system too small
for it (needs the right to mount one), gone on with after space is made. together: two sweeps on
one store at once. Each ends with the table of an undisturbed run beside the other's, byte for
byte, and with a check of every checksum in the store.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SWEEP = """
seeds = [0, 1]
[base]
data = "digits"
network = { name = "small-conv", width = 16, pool = "avg" }
[grid]
attack.rate = [0.01, 0.05, 0.1]
[[parts]]
label = "LR_B"
[parts.set.rule]
name = "direct"
steps = 2
training = { epochs = 3, batch = 64 }
[[parts]]
label = "LR_C"
grid.rule.converter = ["max", "percentile"]
grid.rule.steps = [4, 16]
[parts.set.rule]
name = "conversion"
ann = { epochs = 4, batch = 64 }
[[parts]]
label = "LR_H"
[parts.set.rule]
name = "hybrid"
steps = 2
ann = { epochs = 4, batch = 64 }
finetune = { epochs = 1, batch = 64 }
"""


class Trial:
    """A sweep file and stores for it in a folder."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder, self.workers = folder, workers
        self.file = folder / "sweep.toml"
        self.file.write_text(SWEEP)

    def start(self, store: Path) -> subprocess.Popen[str]:
        """Start the sweep."""
        command = [*CLI, "sweep", str(self.file), "--store", str(store)]
        command += ["--workers", str(self.workers)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, store: Path) -> str:
        """Run the sweep to its end and return what it said."""
        process = self.start(store)
        out, err = process.communicate()
        if process.returncode:
            raise SystemExit(f"the sweep ended with {process.returncode}:\n{out}{err}")
        return out

    def table(self, store: Path) -> str:
        """Return the table of a store as CSV, without the seconds."""
        command = [*CLI, "table", str(self.file), "--store", str(store), "--format", "csv"]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        lines = [line.split(",") for line in text.splitlines()]
        gone = lines[0].index("seconds")
        return "\n".join(",".join(line[:gone] + line[gone + 1 :]) for line in lines)

    def compare(self, store: Path, truth: str) -> None:
        """Check the store, and its table against the undisturbed one."""
        checked = subprocess.run(
            [*CLI, "store", "verify", str(store)], capture_output=True, text=True, check=False
        )
        print(checked.stdout.strip())
        same = self.table(store) == truth
        print(f"table: {len(truth.splitlines()) - 1} rows, {'identical' if same else 'DIFFERENT'}")
        if checked.returncode or not same:
            raise SystemExit(1)


CLI = [sys.executable, "-m", "spikedoor"]


def kill(trial: Trial, truth: str, length: float, times: int, seed: int) -> None:
    """Kill the sweep at random moments."""
    store, moments = trial.folder / "killed", random.Random(seed)
    unfinished = 0
    for number in range(times):
        process = trial.start(store)
        after = moments.uniform(0.1, 0.9) * length
        try:
            process.wait(after)
            print(f"{number + 1:2}: done before {after:.1f} s were over; begun anew")
            shutil.rmtree(store)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            unfinished += 1
            entries = len(list(store.glob("entries/*/*/entry.json")))
            print(f"{number + 1:2}: killed after {after:.1f} s, {entries} results in the store")
    trial.finish(store)
    print(f"killed {unfinished} times")
    trial.compare(store, truth)


def full_disk(trial: Trial, truth: str) -> None:
    """Let the disk run full, and go on when there is room."""
    with small_disk(trial.folder / "disk", "400k") as disk:
        process = trial.start(disk / "store")
        out, err = process.communicate()
        print(f"on a full disk: exit {process.returncode}: {(err or out).strip().splitlines()[-1]}")
        if process.returncode != 2:
            raise SystemExit("expected exit code 2")
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        print(trial.finish(disk / "store").splitlines()[0])
        trial.compare(disk / "store", truth)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a file system in memory."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def together(trial: Trial, truth: str) -> None:
    """Run two sweeps on one store at once."""
    store = trial.folder / "shared"
    for process in [trial.start(store) for _ in range(2)]:
        out, err = process.communicate()
        print((out or err).splitlines()[0])
    trial.compare(store, truth)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["kill", "full-disk", "together"])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        trial = Trial(Path(name), options.workers)
        start = time.monotonic()
        print(trial.finish(Path(name) / "undisturbed").splitlines()[0])
        length = time.monotonic() - start
        truth = trial.table(Path(name) / "undisturbed")
        print(f"undisturbed: {length:.1f} s")
        if options.what == "kill":
            kill(trial, truth, length, options.times, options.seed)
        elif options.what == "full-disk":
            full_disk(trial, truth)
        else:
            together(trial, truth)


if __name__ == "__main__":
    main()
