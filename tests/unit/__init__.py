"""What every function of every contract does, and every error it can revert with."""
