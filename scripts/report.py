"""`ape run report`."""

from dem.commands.report import cli

__all__ = ["cli"]
