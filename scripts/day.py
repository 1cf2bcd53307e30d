"""`ape run day`."""

from dem.commands.day import cli

__all__ = ["cli"]
