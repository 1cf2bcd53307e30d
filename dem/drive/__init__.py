"""Drives trading days from deployment to the last table; prints nothing."""
