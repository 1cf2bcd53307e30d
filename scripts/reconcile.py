"""`ape run reconcile`."""

from dem.commands.reconcile import cli

__all__ = ["cli"]
