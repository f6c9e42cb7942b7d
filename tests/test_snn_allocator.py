"""Freed memory stays in the process where the C library is glibc, and nothing breaks elsewhere."""

import ctypes
import platform
import subprocess
import sys

import pytest

from spikedoor.snn import allocator

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")

# Resident pages after 64 MiB were taken, touched and freed, less those before.
PROGRAM = """
import ctypes
{first}
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
resident = lambda: int(open("/proc/self/statm").read().split()[1])
before = resident()
block = libc.malloc(64 << 20)
libc.memset(block, 1, 64 << 20)
libc.free(block)
print((resident() - before) * 4096 >> 20)
"""


def kept(first: str) -> int:
    program = PROGRAM.format(first=first)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return int(done.stdout)


@glibc
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_importing_the_room_keeps_freed_memory():
    assert kept("") < 16
    assert kept("import spikedoor.snn") > 48


@glibc
def test_says_that_it_did():
    assert allocator.keep_memory() is True


def test_leaves_other_libraries_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("touched the library"))
    assert allocator.keep_memory() is False


def test_goes_on_without_mallopt(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.40"))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert allocator.keep_memory() is False
