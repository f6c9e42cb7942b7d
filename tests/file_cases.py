"""What lies in a folder, for the tests of writing."""

from pathlib import Path


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
