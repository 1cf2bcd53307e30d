"""`ape run payouts`."""

from dem.commands.payouts import cli

__all__ = ["cli"]
