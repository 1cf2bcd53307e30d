"""A simulated community: who lives there, what they use, what they wish, and their keys."""
