"""The chain inside the process without what eth-tester does again and again.

Two things took more than a quarter of the tests on this chain. A receipt was looked for block by block, from the newest
one down, and so the logs of many blocks took time by the square of their number. And a chain that was set back played
the transactions of its newest block once more, though their outcome is known.
"""

from typing import Any

from eth.constants import GENESIS_PARENT_HASH
from eth.exceptions import TransactionNotFound
from eth_tester.backends.pyevm import main

search = main._get_transaction_by_hash


def transaction_by_hash(chain: Any, transaction_hash: bytes) -> tuple[Any, Any, int]:
    """Block, transaction and its place, by the index that py-evm keeps, as far as that knows of the chain as it is."""
    try:
        number, place = chain.chaindb.get_transaction_index(transaction_hash)
    except TransactionNotFound:
        return search(chain, transaction_hash)
    if number < chain.header.block_number:
        block = chain.get_canonical_block_by_number(number)
        if place < len(block.transactions) and block.transactions[place].hash == transaction_hash:
            return block, block.transactions[place], place
    return search(chain, transaction_hash)


def revert_to_snapshot(backend: Any, block_hash: bytes) -> None:
    """The chain ends with that block; the next one follows it."""
    chain = backend.chain
    header = chain.get_block_header_by_hash(block_hash)
    chain.chaindb._set_as_canonical_chain_head(chain.chaindb.db, header, GENESIS_PARENT_HASH)
    if header.block_number > 0:
        chain.header = chain.create_header_from_parent(header)
    else:
        backend.chain = chain.from_genesis_header(chain.chaindb.db, header)


def shorten() -> None:
    """For all that this process does from now on."""
    main._get_transaction_by_hash = transaction_by_hash
    main.PyEVMBackend.revert_to_snapshot = revert_to_snapshot
