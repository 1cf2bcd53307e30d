"""`ape run deploy`."""

from dem.commands.deploy import cli

__all__ = ["cli"]
