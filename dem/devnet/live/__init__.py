"""A whole market on this machine, every role a process of its own, day after day in real time."""
