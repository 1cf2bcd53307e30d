"""The markets of the reference model, a file each."""
