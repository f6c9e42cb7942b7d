"""Fuzz one reader: python fuzz/run.py TARGET --runs 100000 --max-seconds 600.

Only errors of spikedoor are clean: any other exception, a crash, an input that takes longer than
--timeout or memory above --memory is a finding, and its input is kept in fuzz/found/. The engine is
libFuzzer by atheris, guided by the branches of our code (pip install spikedoor[fuzz]); `--engine
plain` changes whole files at random instead, for readers whose work lies in other libraries.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import hashlib
import os
import random
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOUND = HERE / "found"
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "src")]


def targets() -> dict:
    from fuzz import images, models, recordings

    return images.TARGETS | recordings.TARGETS | models.TARGETS


def peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def check(target, data: bytes) -> None:
    """Read an input; whatever is raised but errors of spikedoor passes through."""
    from spikedoor.errors import SpikedoorError

    with contextlib.suppress(SpikedoorError):
        target.run(data)


def changed(data: bytes, other: bytes, words: tuple[bytes, ...], draw: random.Random) -> bytes:
    """Return a file with a few random changes."""
    made = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 8))):
        at = draw.randrange(len(made) + 1)
        kind = draw.randrange(7)
        if kind == 0:
            made[at : at + 1] = bytes([draw.randrange(256)])
        elif kind == 1 and at < len(made):
            made[at] ^= 1 << draw.randrange(8)
        elif kind == 2:
            width = draw.choice((1, 2, 4, 8))
            value = draw.choice((0, 1, -1, 1 << 8 * width - 1, draw.getrandbits(8 * width)))
            made[at : at + width] = (value % (1 << 8 * width)).to_bytes(
                width, draw.choice(("little", "big"))
            )
        elif kind == 3:
            del made[at : at + draw.randrange(1, 32)]
        elif kind == 4:
            made[at:at] = made[at : at + draw.randrange(1, 64)] * draw.choice((1, 1, 2, 50))
        elif kind == 5:
            start = draw.randrange(len(other) + 1)
            made[at : at + draw.randrange(16)] = other[start : start + draw.randrange(1, 64)]
        elif words:
            made[at : at + draw.choice((0, 8))] = draw.choice(words)
    return bytes(made)


def plain(target, args: argparse.Namespace) -> None:
    """Change whole files at random until the runs or the seconds are over."""
    draw, seeds = random.Random(args.seed), target.seeds()
    end, count, failures = time.monotonic() + args.max_seconds, 0, set()
    FOUND.mkdir(exist_ok=True)
    current = FOUND / f"{args.target}-hang"
    while count < args.runs and time.monotonic() < end:
        data = changed(draw.choice(seeds), draw.choice(seeds), target.words, draw)
        if count % 1000 == 0:
            faulthandler.dump_traceback_later(1000 * args.timeout, exit=True)
        start = time.monotonic()
        try:
            check(target, data)
        except BaseException as error:
            last = error.__traceback__
            while last.tb_next:
                last = last.tb_next
            mark = (type(error).__name__, last.tb_frame.f_code.co_filename, last.tb_lineno)
            if isinstance(error, KeyboardInterrupt):
                raise
            if mark not in failures:
                failures.add(mark)
                keep(args.target, data)
                print(f"{args.target}: {mark}: {error!s:.200}", flush=True)
        if time.monotonic() - start > args.timeout:
            current.write_bytes(data)
            print(f"{args.target}: an input took {time.monotonic() - start:.1f} s", flush=True)
        count += 1
    faulthandler.cancel_dump_traceback_later()
    print(f"{args.target}: plain, {count} inputs, {len(failures)} findings, peak {peak_mb()} MB")
    sys.exit(bool(failures))


def keep(name: str, data: bytes) -> None:
    (FOUND / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)


def guided(target, args: argparse.Namespace) -> None:
    """Hand the target to libFuzzer, with whole files as its corpus."""
    import atheris

    from fuzz.tracing import let_go

    def read(data: bytes) -> None:
        let_go()
        check(target, data)

    place = Path(args.corpus or tempfile.mkdtemp(prefix=f"corpus-{args.target}-"))
    for folder in (place, FOUND):
        folder.mkdir(parents=True, exist_ok=True)
    for data in target.seeds():
        (place / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)
    largest = max(map(len, target.seeds()))
    options = [f"-runs={args.runs}", f"-max_total_time={args.max_seconds}", f"-seed={args.seed}"]
    options += [f"-timeout={args.timeout}", f"-rss_limit_mb={args.memory}"]
    options += [f"-artifact_prefix={FOUND}/{args.target}-", f"-max_len={max(4096, 2 * largest)}"]
    options += ["-print_final_stats=1", "-verbosity=0"]
    if target.words:
        words = place.with_name(f"{place.name}.dict")
        escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in target.words)
        words.write_text("".join(f'"{word}"\n' for word in escaped))
        options.append(f"-dict={words}")
    atheris.Setup([sys.argv[0], *options, str(place)], read)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("target", nargs="?", help="name of a reader; without one they are listed")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--max-seconds", type=int, default=600)
    parser.add_argument("--timeout", type=int, default=10, help="seconds an input may take")
    parser.add_argument("--memory", type=int, default=2048, help="MB the process may take")
    parser.add_argument("--engine", choices=("atheris", "plain"), default="atheris")
    parser.add_argument("--corpus", help="folder to keep inputs in that reach new code")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if args.engine == "atheris" and args.target:
        import atheris

        with atheris.instrument_imports(include=["spikedoor"]):
            known = targets()
    else:
        known = targets()
        resource.setrlimit(resource.RLIMIT_AS, (args.memory + 4096 << 20,) * 2)
    if args.target not in known:
        parser.error(f"expected one of {', '.join(known)}")
    os.chdir(tempfile.mkdtemp(prefix="fuzz-"))
    (plain if args.engine == "plain" else guided)(known[args.target], args)


if __name__ == "__main__":
    main()
