"""The tables of a run: written, read back, and what they say."""
