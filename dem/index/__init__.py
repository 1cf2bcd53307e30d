"""The market's events as tables of an SQLite database that follows the chain through its reorganisations."""

DEPTH = 64
"""Blocks that a chain may reorganise, unless told otherwise."""
