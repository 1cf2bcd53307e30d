"""Random tests without a time limit per example: a busy machine is no failure."""

from hypothesis import settings

settings.register_profile("model", deadline=None)
settings.load_profile("model")
