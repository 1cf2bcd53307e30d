"""`ape run demo`."""

from dem.commands.demo import cli

__all__ = ["cli"]
