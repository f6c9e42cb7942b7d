"""The command line. Verbs import what they need when they run, so that help costs nothing."""

from spikedoor.cli.app import app, main

__all__ = ["app", "main"]
