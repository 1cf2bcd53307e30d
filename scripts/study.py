"""`ape run study`."""

from dem.commands.study import cli

__all__ = ["cli"]
