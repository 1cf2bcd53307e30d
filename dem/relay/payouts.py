"""Money that members have signed to be paid out by the treasurer: at a bank, or into the market's next epoch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from eth_utils.crypto import keccak

from dem.messages.members import Withdrawal
from dem.messages.signed import Received, for_contract
from dem.model.units import MONEY_DECIMALS
from dem.relay.batches import Relay
from dem.relay.members import salted

COLUMNS = ("account", "amount", "reference", "salt")
"""Of a table of payments."""
_GAS = 250_000


@dataclass(frozen=True, slots=True)
class Payout:
    """A withdrawal to a bank, as its owner signed it. id: its digest."""

    id: str
    signed: Received[Withdrawal]

    @property
    def salt(self) -> bytes:
        """Of its reference: the same whenever it is made, and known to nobody who has not seen the signature."""
        return bytes(keccak(self.signed.signature))

    @property
    def text(self) -> str:
        """What it is called in a table of payments."""
        return f"withdrawal {self.id}"

    @property
    def reference(self) -> bytes:
        """Of the payment, on the chain that it leaves and on the one that it comes to."""
        return salted(self.salt, self.text.encode())

    @property
    def row(self) -> dict[str, str]:
        """Of a table of payments, as `dem.roles.sources.payments` reads it."""
        whole, rest = divmod(self.signed.message.amount, 10**MONEY_DECIMALS)
        amount = f"{whole}.{rest:0{MONEY_DECIMALS}d}"
        values = (self.signed.message.account, amount, self.text, f"0x{self.salt.hex()}")
        return dict(zip(COLUMNS, values, strict=True))


def redeem(relay: Relay, payouts: Sequence[Payout]) -> Iterator[tuple[Payout, str]]:
    """Take out what was signed and not taken out yet. Of each, why the contract refuses it; empty if it is out."""
    accounts = relay.market.accounts
    used = relay.chain.ask_many(accounts, "isPaymentUsed", [(one.reference,) for one in payouts])
    transactions = []
    for number, (one, is_out) in enumerate(zip(payouts, used, strict=True)):
        if is_out:
            yield one, ""
            continue
        made = relay.chain.transaction(accounts, "redeem", *for_contract(one.signed), one.reference, planned=_GAS)
        transactions.append(replace(made, what=str(number)))
    for landed, refusal in relay.chain.send_all(relay.market.keys["treasurer"], transactions):
        yield payouts[int(landed.transaction.what)], refusal.why if refusal else ""
