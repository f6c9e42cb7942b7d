"""Build the optional CPU kernels; the rest is in pyproject.toml.

The kernels are plain C libraries that ctypes loads: the neuron, once per instruction set, and the
framing of events. Where they cannot be built, the package installs without them and uses the
torch version of the neuron, and the NumPy version of the framing.
"""

import os
import platform
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

ROOM = "src/spikedoor/snn/kernels"
SOURCES = [f"{ROOM}/neuron.c", f"{ROOM}/convolution.c"]
HEADER = f"{ROOM}/lanes.h"
FRAMES = "src/spikedoor/data/events/_frames.c"

# No -ffast-math: linking it sets flush-to-zero for the whole process.
COMMON = [
    "-O3",
    "-g0",
    "-fopenmp",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-std=gnu11",
    "-Wno-psabi",
]

if platform.machine().lower() in {"x86_64", "amd64"}:
    TARGETS = {
        "base": ["-march=x86-64"],
        "avx2": ["-march=x86-64-v3"],
        "avx512": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
    }
else:
    TARGETS = {"base": []}


class BuildKernels(build_ext):
    """Build what can be built; say in one line what cannot."""

    def run(self):
        try:
            super().run()
        except (BaseError, CCompilerError) as error:
            self.skip("the compiled CPU kernels", error)

    def build_extension(self, ext):
        # Same sources, several targets: in a shared folder the second would take the first's.
        shared = self.build_temp
        self.build_temp = os.path.join(shared, ext.name.rpartition(".")[2])
        try:
            super().build_extension(ext)
        except (BaseError, CCompilerError) as error:
            self.skip(ext.name, error)
        finally:
            self.build_temp = shared

    def get_ext_filename(self, fullname):
        # Not a Python module, so no Python version in its name.
        return os.path.join(*fullname.split(".")) + ".so"

    def skip(self, what, error):
        reason = str(error).replace("\n", " ")
        print(f"spikedoor: cannot build {what}, going on without: {reason}", file=sys.stderr)


def kernels():
    for source in SOURCES:
        if not os.path.exists(source):
            print(f"spikedoor: no {source}, going on without", file=sys.stderr)
            return []
    return [
        Extension(
            f"spikedoor.snn.kernels._neuron_{target}",
            sources=list(SOURCES),
            depends=["setup.py", HEADER],
            extra_compile_args=COMMON + flags,
            extra_link_args=["-fopenmp"],
            optional=True,
        )
        for target, flags in TARGETS.items()
    ] + [
        Extension(
            "spikedoor.data.events._frames",
            sources=[FRAMES],
            extra_compile_args=["-O3", "-g0", "-std=gnu11"],
            optional=True,
        )
    ]


setup(ext_modules=kernels(), cmdclass={"build_ext": BuildKernels})
