"""Tests of a meter's agent, with a broker and a gateway on this machine."""
