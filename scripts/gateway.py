"""`ape run gateway`."""

from dem.commands.gateway import cli

__all__ = ["cli"]
