"""`ape run check`."""

from dem.commands.check import cli

__all__ = ["cli"]
