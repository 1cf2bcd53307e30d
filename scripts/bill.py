"""`ape run bill`."""

from dem.commands.bill import cli

__all__ = ["cli"]
