"""`ape run live`."""

from dem.commands.live import cli

__all__ = ["cli"]
