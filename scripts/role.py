"""`ape run role`."""

from dem.commands.role import cli

__all__ = ["cli"]
