"""`ape run health`."""

from dem.commands.health import cli

__all__ = ["cli"]
