"""The connection to a chain: it knows nothing of electricity."""
