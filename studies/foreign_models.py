"""Networks trained in SpikingJelly and in snnTorch, audited as their owner would.

    python studies/foreign_models.py --out runs/foreign
"""

from __future__ import annotations

import argparse
from pathlib import Path

from foreign.networks import cases

from spikedoor.progress import bar


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/foreign"))
    out: Path = parser.parse_args().out
    missing = [case for case in cases() if not (out / case.name).exists()]
    with bar("train", len(missing)) as advance:
        for case in missing:
            advance(0, note=case.name)
            case.train(out)
            advance()


if __name__ == "__main__":
    main()
