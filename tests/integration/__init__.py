"""What the contracts do together."""
