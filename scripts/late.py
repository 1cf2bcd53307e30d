"""`ape run late`."""

from dem.commands.late import cli

__all__ = ["cli"]
