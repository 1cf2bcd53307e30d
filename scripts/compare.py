"""`ape run compare`."""

from dem.commands.compare import cli

__all__ = ["cli"]
