"""Several processes on one store, some of which are killed."""

import errno
import fcntl
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from store_cases import FILES, key, names, put, start

from spikedoor.files import write_bytes
from spikedoor.records import Store, gc, verify
from spikedoor.records import claims as locks
from spikedoor.records.claims import claimed


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


WRITER = """
from store_cases import key
from spikedoor.records import Store
print("ready", flush=True)
sys.stdin.readline()
store, me = Store(sys.argv[1]), sys.argv[2]
for i in range(30):
    said = store.write(key(i), "ann", {"who": me.encode() * 1000, "same": b"x"}, config={"by": me})
    print(said.config["by"])
    store.write(key(f"{me}-{i}"), "ann", {"who": me.encode()}, config={"by": me})
"""


def test_several_writers_agree_on_every_entry(tmp_path):
    """All open the store at once, which does not exist yet, and write equal and other keys."""
    folder = tmp_path / "store"
    writers = [start(WRITER, folder, name) for name in "abc"]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    told = [writer.communicate(timeout=60)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    store = Store(folder, create=False)
    assert verify(store) == []
    assert len(list(store.keys())) == 30 + 3 * 30
    for i in range(30):
        entry, files = store.read(key(i))
        assert {said[i] for said in told} == {entry.config["by"]}
        assert files["who"] == entry.config["by"].encode() * 1000
    assert not any(name.startswith((".", "aside")) or "/." in name for name in names(folder))


KILLED = """
import os, random, signal, time
from store_cases import FILES, key, put
from spikedoor.records import Store
store = Store(sys.argv[1])

def child(work):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return pid

def dying(step):
    # Dies at the given system call of those that make an entry.
    calls = 0
    def wrap(real):
        def call(*arguments, **options):
            nonlocal calls
            calls += 1
            if calls == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)
        return call
    for name in ("fsync", "open", "mkdir", "rename", "rmdir", "chmod"):
        setattr(os, name, wrap(getattr(os, name)))
    put(store, f"step-{step}")

survived = False
for step in range(1, 60):
    pid = child(lambda: dying(step))
    if not os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        break
print(step)

def busy(run):
    for i in range(10**6):
        store.write(key((run, i)), "ann", {"big": bytes(300_000), **FILES}, config={})

for run in range(15):
    pid = child(lambda: busy(run))
    time.sleep(random.uniform(0.005, 0.05))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
"""


def test_a_killed_writer_leaves_a_whole_entry_or_none(store):
    """Killed at each of its steps, and at random moments."""
    process = start(KILLED, store.folder)
    steps = int(process.communicate(timeout=60)[0])
    assert process.returncode == 0
    assert steps > 8
    assert verify(store) == []
    whole = [step for step in range(1, steps + 1) if store.read(key(f"step-{step}"))]
    assert whole == list(range(whole[0], steps + 1))
    assert steps > whole[0] > 5
    left = [item for item in gc(store, grace=0) if item.what == "leftover"]
    assert len(left) >= 5
    gc(store, dry_run=False, grace=0)
    assert names(store.folder) == ["store.json"]


HOLDER = """
from spikedoor.records import Store
with Store(sys.argv[1]).claim(sys.argv[2]) as mine:
    print(mine, flush=True)
    sys.stdin.readline()
"""


def test_a_claim_excludes_other_processes_until_its_holder_ends(store):
    with store.claim(key(0)) as mine:
        assert mine
        other = start(HOLDER, store.folder, key(0))
        assert other.communicate("\n", timeout=60)[0] == "False\n"
    holder = start(HOLDER, store.folder, key(0))
    assert holder.stdout.readline() == "True\n"
    with store.claim(key(0)) as mine, store.claim(key(1)) as another:
        assert (mine, another) == (False, True)
    assert "claim" not in {item.what for item in gc(store, grace=0) if key(0) in item.path.name}
    holder.send_signal(signal.SIGKILL)
    holder.communicate(timeout=60)
    with store.claim(key(0)) as mine:
        assert mine


def test_claims_exclude_within_a_process_and_end_with_an_error(store):
    with store.claim(key(0)) as mine, store.claim(key(0)) as again:
        assert (mine, again) == (True, False)

    def fail() -> None:
        with store.claim(key(0)):
            raise OSError("of the work, not of the lock")

    with pytest.raises(OSError, match="of the work"):
        fail()
    with store.claim(key(0)) as mine:
        assert mine


def test_a_claim_ends_though_a_child_inherited_it(store):
    with store.claim(key(0)):
        # Between fork and exec the child holds the file; with pass_fds it keeps it.
        (handle,) = held(store)
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[handle]
        )
    with store.claim(key(0)) as mine:
        assert mine
    child.communicate(b"\n", timeout=60)


def held(store: Store) -> list[int]:
    """Return the handles of open lock files."""
    folder = store.folder / "claims"
    handles = [int(path.name) for path in Path("/proc/self/fd").iterdir()]
    return [h for h in handles if Path(f"/proc/self/fd/{h}").resolve().parent == folder]


@pytest.mark.parametrize("trouble", ["no module", "refused", "read-only"])
def test_where_locks_do_not_work_every_claim_is_granted(store, monkeypatch, trouble):
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    if trouble == "no module":
        monkeypatch.setattr(locks, "fcntl", None)
    elif trouble == "refused":
        monkeypatch.setattr("fcntl.flock", refuse)
    else:
        monkeypatch.setattr("os.open", refuse)
    with store.claim(key(0)) as mine, store.claim(key(0)) as again:
        assert (mine, again) == (True, True)
    monkeypatch.undo()
    assert held(store) == []


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_again(tmp_path, monkeypatch):
    """Else two processes could hold the removed file and a new one under the same name."""
    path, real, calls = tmp_path / "lock", fcntl.flock, []

    def flock(handle: int, operation: int) -> None:
        if not calls:
            path.unlink()
        calls.append(operation)
        real(handle, operation)

    monkeypatch.setattr("fcntl.flock", flock)
    with claimed(path) as mine, claimed(path) as again:
        assert (mine, again) == (True, False)
    assert path.exists()


def test_who_comes_second_keeps_what_the_first_wrote(store, monkeypatch):
    """Another process writes the entry while this one fills its folder."""
    first = []

    def late(path: Path, content: bytes) -> None:
        if not first:
            first.append(None)
            first[0] = store.write(key(0), "ann", {"theirs": b"1"}, config={"by": "them"})
        write_bytes(path, content)

    monkeypatch.setattr("spikedoor.records.store.write_bytes", late)
    assert put(store, 0) == first[0]
    assert store.read(key(0)) == (first[0], {"theirs": b"1"})
    assert not any("/." in name for name in names(store.folder))


def test_a_good_entry_that_replaced_a_damaged_one_is_not_set_aside(store, monkeypatch):
    """Another process sets the damaged one aside and writes it anew just before we would."""
    put(store, 0)
    (store.path(key(0)) / "notes.txt").write_bytes(b"damaged")
    real, calls = Store._set_aside, []

    def late(self: Store, *arguments: object) -> None:
        if not calls:
            calls.append(1)
            self.read(key(0))
            put(self, 0)
        real(self, *arguments)

    monkeypatch.setattr(Store, "_set_aside", late)
    assert store.read(key(0)) is None
    assert store.read(key(0))[1] == FILES
