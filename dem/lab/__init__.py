"""What rules bring about, measured on days of a scenario by the reference model alone: who gains by what it does."""
