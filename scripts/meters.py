"""`ape run meters`."""

from dem.commands.meters import cli

__all__ = ["cli"]
