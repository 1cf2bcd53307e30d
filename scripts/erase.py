"""`ape run erase`."""

from dem.commands.erase import cli

__all__ = ["cli"]
