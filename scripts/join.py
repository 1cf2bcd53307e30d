"""`ape run join`."""

from dem.commands.join import cli

__all__ = ["cli"]
