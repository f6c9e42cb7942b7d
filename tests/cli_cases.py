"""What tests of the command line share: a tiny experiment, and a terminal to look at."""

import io

TINY = """
seed = 4
[data]
name = "digits"
train_limit = 200
test_limit = 60
[network]
name = "small-conv"
width = 4
[rule]
name = "direct"
steps = 2
training = { epochs = 1 }
[attack]
rate = 0.05
trigger = { name = "patch", size = 2 }
"""


class Terminal(io.StringIO):
    """A stream that says it is a terminal, and keeps what it was sent."""

    def isatty(self) -> bool:
        return True


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
