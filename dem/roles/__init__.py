"""Every office and every participant of a market as a service of its own, which asks what is due and does it."""
