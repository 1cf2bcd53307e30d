"""`ape run prove`."""

from dem.commands.prove import cli

__all__ = ["cli"]
