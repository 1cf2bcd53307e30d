"""Days of a scenario by the reference model alone: no chain, no keys, no messages; the same tables as a run on a chain.

What a contract would refuse for lack of money is refused here, too. A contract between two that ends because one side
defaults (rule 8.7) does not: that needs a clock that only the chain has.
"""
