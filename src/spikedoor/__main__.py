"""``python -m spikedoor``."""

from spikedoor.cli import main

if __name__ == "__main__":
    main()
