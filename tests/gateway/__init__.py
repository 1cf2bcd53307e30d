"""The gateway, without a chain."""
