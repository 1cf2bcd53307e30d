"""A market of the tests, in the three files that a further market takes: model, replay and relay."""
