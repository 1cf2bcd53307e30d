"""The law of the market in plain integers: the exact reference model, which needs no chain."""
