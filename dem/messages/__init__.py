"""What people and meters sign (EIP-712)."""
