"""Money out to banks: the treasurer burns what a member has signed for, and then orders its bank to pay.

What was burned the chain knows, by a reference that works once: the id of the member's message. What it burns, and what
was ordered, the outbox knows. So each is done once, whatever is killed when; and what is burned otherwise, such as for
the next epoch, is left alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from eth_utils.address import to_checksum_address

from dem.chain.sending import Transaction
from dem.errors import InputError, RefusedError, RequestError
from dem.gateway.client import Client
from dem.gateway.protocol import Checked, Envelope, check
from dem.messages.signed import Received, for_contract
from dem.model.units import CENT, Money
from dem.relay.batches import Relay
from dem.relay.members import GAS_PER_DEPOSIT
from dem.roles.outbox import BankAccount, Outbox, Payout
from dem.roles.step import Day, Step

_MOST, _LONGEST = 1_000, 1_000
"""Withdrawals that are looked at together, and letters of a reason."""
_UNKNOWN_LOGIN = 401
_PASSING = ("MoneyHeld", "PaidNow")
"""Refusals that end by themselves: a day is being settled."""


class Counter(Protocol):
    """Where members bring withdrawals to their banks: a gateway."""

    def waiting(self) -> Sequence[Checked]:
        """Those that wait for the treasurer."""

    def refuse(self, id_: str, why: str) -> None:
        """Tell that one cannot be paid out as it was signed."""


class AtGateway:
    """The counter of one gateway. client: with the treasurer's key."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def waiting(self) -> Sequence[Checked]:
        """Those that wait for the treasurer, whose signatures are looked at here again."""
        market = self._client.market
        found = self._asked(lambda: self._client.get("/v1/payouts", most=_MOST))
        return [check(Envelope(**one["envelope"]), market["chain"], market["contracts"]) for one in found]

    def refuse(self, id_: str, why: str) -> None:
        """Tell that one cannot be paid out as it was signed."""
        self._asked(lambda: self._client.refuse_payout(id_, why[:_LONGEST]))

    def _asked(self, ask: Callable[[], Any]) -> Any:
        """A login ends after a while, and with the gateway's state."""
        try:
            return ask()
        except RequestError as error:
            if error.status != _UNKNOWN_LOGIN:
                raise
            self._client.log_in()
            return ask()


class Payouts:
    """The steps. banks: by account of members. depth: blocks on top of a burning from which on the chain keeps it."""

    def __init__(
        self,
        relay: Relay,
        counter: Counter,
        banks: Callable[[], Mapping[str, BankAccount]],
        outbox: Outbox,
        depth: int,
    ) -> None:
        self._relay, self._counter, self._banks, self._outbox, self._depth = relay, counter, banks, outbox, depth
        self._next = relay.market.manifest.first_block
        self._burned: dict[str, tuple[int, Money]] = {}
        """Participant and amount by reference, of what the chain keeps for good."""
        outbox.complete()

    @property
    def steps(self) -> Sequence[Step]:
        """Burn first, then order."""
        return (
            Step("burn what is paid out", self.burn, lambda _: not self._to_burn()),
            Step("order payments", self.order, lambda _: not self._to_order()),
        )

    # ------------------------------------------------------------------------------------------------ burning

    def burn(self, _day: Day) -> None:
        """What members have signed for whose bank account is known.

        Raises:
            InputError: of somebody it is not.
            RefusedError: the chain takes one only later.
        """
        chain, accounts, treasurer = (
            self._relay.chain,
            self._relay.market.accounts,
            self._relay.market.keys["treasurer"],
        )
        banks, later, transactions, paid = self._banks(), "", list[Transaction](), list[str]()
        missing = ""
        for one in self._to_burn():
            call = (*for_contract(Received(one.message, one.signature)), _reference(one.id))
            why = chain.refusal_of(treasurer, accounts, "redeem", *call)
            if why.startswith(_PASSING):
                later = why
            elif why:
                self._counter.refuse(one.id, why)
            elif one.sender not in banks:
                missing = one.sender
            else:
                paid.append(one.id)
                transactions.append(chain.transaction(accounts, "redeem", *call, planned=GAS_PER_DEPOSIT))
        for id_ in paid:
            self._outbox.ask(id_)
        for _, refusal in chain.send_all(treasurer, transactions):
            later = str(refusal) if refusal else later
        if missing:
            raise InputError("bank accounts", missing, "is not in the table, and wants money paid out")
        if later:
            raise RefusedError("redeem", later)

    def _to_burn(self) -> list[Checked]:
        waiting = self._counter.waiting()
        asked = [(_reference(one.id),) for one in waiting]
        used = self._relay.chain.ask_many(self._relay.market.accounts, "isPaymentUsed", asked)
        return [one for one, is_used in zip(waiting, used, strict=True) if not is_used]

    # ----------------------------------------------------------------------------------------------- ordering

    def order(self, _day: Day) -> None:
        """All that was burned and the chain keeps, together.

        Raises:
            InputError: of somebody the bank account is not known, or a bank cannot pay the amount. All else is ordered.
        """
        banks, payouts = self._banks(), list[Payout]()
        wrong: InputError | None = None
        for reference, (participant, amount) in self._to_order().items():
            account = to_checksum_address(self._relay.market.registry.functions.member(participant).call()[0])
            bank = banks.get(account)
            if bank is None:
                wrong = InputError("bank accounts", account, f"is not in the table: participant {participant} is owed")
            elif amount % CENT:
                wrong = InputError("payout", amount, f"is owed to participant {participant}, and no bank pays that")
            else:
                payouts.append(Payout(reference, participant, account, bank.name, bank.iban, amount))
        if payouts:
            self._outbox.add(payouts)
        if wrong is not None:
            raise wrong

    def _to_order(self) -> dict[str, tuple[int, Money]]:
        chain, name = self._relay.chain, "Accounts"
        last = chain.block - self._depth
        addresses = {name: self._relay.market.addresses[name]}
        if last >= self._next:
            for event in chain.events(addresses, self._next, last, chain.topics(name, "Withdrawn")):
                args = event.args
                if args["toBank"]:
                    self._burned[f"0x{bytes(args['paymentReference']).hex()}"] = args["id"], Money(args["amount"])
            self._next = last + 1
        if not self._burned:
            return {}
        wanted = self._outbox.asked() - self._outbox.references()
        return {reference: owed for reference, owed in self._burned.items() if reference in wanted}


def _reference(id_: str) -> bytes:
    return bytes.fromhex(id_[2:])
