"""`ape run outbox`."""

from dem.commands.outbox import cli

__all__ = ["cli"]
