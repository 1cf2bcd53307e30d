"""Versions of the tables of `dem.gateway.state`, one after another."""
