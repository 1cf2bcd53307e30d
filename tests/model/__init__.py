"""Tests of the reference model; they need no chain."""
