"""Bills as documents: the book in which they are numbered, and how they are drawn."""
