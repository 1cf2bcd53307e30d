"""`ape run clear`."""

from dem.commands.clear import cli

__all__ = ["cli"]
