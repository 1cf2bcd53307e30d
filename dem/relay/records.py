"""What the chain knows about a market: events, members' numbers, balances."""

from collections.abc import Iterable, Iterator

from dem.chain.events import Event
from dem.deployment.market import Market
from dem.model.ledger import Account
from dem.model.units import Money
from dem.replay.record import Balances

_NOTHING_TOLD = (
    "NotSignedByParticipant",
    "NotSignedByMeter",
    "ECDSAInvalidSignature",
    "ECDSAInvalidSignatureS",
    "NotOpenYet",
    "ReadingFromFuture",
    "PaidNow",
)
"""Reasons of a rejection that do not prove who sent the sheet, or that pass."""


class Records:
    """The chain's records of one market."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.chain = market.chain
        self._read: dict[tuple[str, str], tuple[int, dict[int, list[Event]]]] = {}
        """Next block to read, and the events so far by day, of contract and event."""

    def events(self, contract: str, name: str, day: int) -> list[Event]:
        """Events of one name of one contract about a day whose tariffs are published, in blocks from then on.

        It is the first thing that happens about a day; so a question takes no longer on a chain that is a year old.
        """
        published = self._read_on("FallbackSupply", "TariffsPublished").get(day)
        first = published[0].block if published else self.market.manifest.first_block
        topics = self.chain.topics(contract, name, day)
        return list(self.chain.events({contract: self.market.addresses[contract]}, first, topics=topics))

    def days_of(self, contract: str, name: str) -> list[int]:
        """Days that there are events of a name about, ascending."""
        return sorted(self._read_on(contract, name))

    def refusals(self, contract: str, name: str, sender: str, day: int) -> dict[tuple[str, int], bytes]:
        """Reason by sender and sequence of the rejections that tell something about the sender's message.

        name: of the event. sender: its argument with the sender's address.
        """
        return {
            (event.args[sender], event.args["sequence"]): event.args["reason"]
            for event in self._read_on(contract, name).get(day, ())
            if self.chain.artifacts.error_name(event.args["reason"]) not in _NOTHING_TOLD
        }

    def _read_on(self, contract: str, name: str) -> dict[int, list[Event]]:
        """All events of a name by day: read once, and from then on only what is new."""
        first, found = self._read.get((contract, name), (self.market.manifest.first_block, {}))
        last = self.chain.block
        addresses = {contract: self.market.addresses[contract]}
        for event in self.chain.events(addresses, first, last, self.chain.topics(contract, name)):
            found.setdefault(event.args["day"], []).append(event)
        self._read[contract, name] = last + 1, found
        return found

    def events_between(self, first: int, last: int) -> Iterator[Event]:
        """Every event of the market in these blocks, both included, in the chain's order."""
        return self.chain.events(self.market.addresses, first, last)

    def ids_of(self, accounts: Iterable[str]) -> list[int]:
        """Registry numbers of members in their order, 0 for who is none."""
        return self.chain.ask_many(self.market.registry, "idOf", [(account,) for account in accounts])

    def balances(self) -> Balances:
        """All accounts and the token supply."""
        ids = range(1, self.market.registry.functions.memberCount().call() + 1)
        records = self.chain.ask_many(self.market.accounts, "accountOf", [(id_,) for id_ in ids])
        accounts = {id_: Account(*map(Money, record)) for id_, record in zip(ids, records, strict=True)}
        return Balances(accounts, self.market.token.functions.totalSupply().call())
