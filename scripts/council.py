"""`ape run council`."""

from dem.commands.council import cli

__all__ = ["cli"]
