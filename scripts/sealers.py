"""`ape run sealers`."""

from dem.commands.sealers import cli

__all__ = ["cli"]
