"""Readings of metering operators; they need no chain."""
