"""What offices and relayers bring to the contracts: signed messages, hints of the model, payments.

Every step asks the chain, or an outsider's replay of its events, what is missing, and sends it. So it can be repeated
after a crash. What would be sent twice is refused by the contracts (sequences, payment references).
"""
