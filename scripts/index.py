"""`ape run index`."""

from dem.commands.index import cli

__all__ = ["cli"]
