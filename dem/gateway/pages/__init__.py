"""The console: pages that a gateway draws for people."""
