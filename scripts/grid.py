"""`ape run grid`."""

from dem.commands.grid import cli

__all__ = ["cli"]
