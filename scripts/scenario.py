"""`ape run scenario`."""

from dem.commands.scenario import cli

__all__ = ["cli"]
