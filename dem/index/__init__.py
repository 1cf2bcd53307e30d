"""The market's events as tables of an SQLite database that follows the chain through its reorganisations."""
