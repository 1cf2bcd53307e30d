"""The market recomputed from its events alone."""
