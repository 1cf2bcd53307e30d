"""`ape run access`."""

from dem.commands.access import cli

__all__ = ["cli"]
