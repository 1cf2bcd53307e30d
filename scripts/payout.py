"""`ape run payout`."""

from dem.commands.payout import cli

__all__ = ["cli"]
