"""`ape run clients`."""

from dem.commands.clients import cli

__all__ = ["cli"]
