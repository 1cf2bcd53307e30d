"""Gas of bilateral contracts, on the EVM of the tests: `make bench-bilateral` writes bench/bilateral.*.

Every figure is measured from the same state as those beside it, so that they compare to the unit; run again, they are
the same.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from support.evm.chain import NOBODY  # noqa: E402
from support.evm.contracts import MARKET, NOTHING, conclusion, ending, revocation  # noqa: E402
from support.evm.market import ADMIN, STRANGER, Market  # noqa: E402
from support.evm.people import Person, register  # noqa: E402

from dem.deployment.roles import ROLES  # noqa: E402
from dem.messages.contracts import Ending, Proposal  # noqa: E402
from dem.messages.signing import message_hash  # noqa: E402
from dem.model.calendar import CalendarParameters  # noqa: E402
from dem.model.markets.bilateral import Profile  # noqa: E402
from dem.model.rules import MarketRules  # noqa: E402

PERIODS = 96
OPENING = 1_800_000_000
DAY = 86_400
CALENDAR = CalendarParameters(OPENING, 900, PERIODS, 2 * DAY, DAY // 2, DAY // 4, DAY)
RULES = MarketRules(50, 200, 1_000, 30_000, 8_000, 60_000, 10, 500, 1, 4)
YEAR = 365
SLOTS = (1 << PERIODS) - 1
MANY = (1, 10)
"""Contracts of the members who have some."""


class Bench:
    """A market with a few members; `gas` runs a transaction and takes it back."""

    def __init__(self) -> None:
        self.market = Market(CALENDAR, RULES, CALENDAR.opens_at(1) - DAY)
        self.people = [Person.numbered(n) for n in range(1 + 2 * len(MANY))]
        for person in self.people:
            register(self.market, person)
            reference = person.id.to_bytes(32, "big")
            self.market.act("Accounts.deposit", person.account.address, 10**15, reference)
        self.market.act("Schedule.addMarket", self.market.contracts[MARKET].address, 1)
        role = next(role for role in ROLES if role.name == "schedule")
        authority = self.market.contracts["Authority"]
        self.market.chain.send(ADMIN.address, authority, "grantRole", role.id, STRANGER.address, 0)
        self.market.now = CALENDAR.opens_at(1)
        self._salts = iter(range(1, 1 << 16))

    def proposal(self, buyer: Person, seller: Person, days: int = YEAR, **terms: Any) -> Proposal:
        """Base load from day 2 on."""
        usual = {
            "proposer": buyer.account.address,
            "counterparty": seller.account.address,
            "is_sale": False,
            "price": 20_000,
            "energy": 250,
            "first_period": PERIODS,
            "last_period": (1 + days) * PERIODS - 1,
            "slots": SLOTS,
            "weekdays": 127,
            "expiry": OPENING + 10 * DAY,
            "answers": NOTHING,
            "salt": next(self._salts).to_bytes(32, "big"),
        }
        return Proposal(**(usual | terms))

    def brought(self, proposal: Proposal, buyer: Person, seller: Person) -> tuple[Any, ...]:
        """Signed by both."""
        return conclusion(self.market, proposal, buyer.account, seller.account.address, seller.account)

    def conclude(self, proposal: Proposal, buyer: Person, seller: Person) -> int:
        """Returns the contract's number."""
        events = self.market.act(f"{MARKET}.conclude", *self.brought(proposal, buyer, seller))
        return next(event.args["number"] for event in events if event.name == "Concluded")

    def gas(self, function: str, *arguments: Any) -> int:
        """Of one transaction, which then never happened."""
        chain = self.market.chain
        place = chain.evm.snapshot()
        chain.send(STRANGER.address, self.market.contracts[MARKET], function, *arguments)
        used = int(chain.evm.result.gas_used)
        chain.evm.revert(place)
        return used

    def member(self, day: int, id_: int) -> int:
        """What one member adds to a transaction that books it and those before it."""
        return self.gas("book", day, 1, id_) - self.gas("book", day, 1, id_ - 1)


def agreeing() -> dict[str, int]:
    """Making, ending and taking back."""
    bench = Bench()
    buyer, seller = bench.people[:2]
    peak = Profile.peak(PERIODS)
    lengths = {"a day": 1, "a year": YEAR}
    found = {}

    def concluding(what: str) -> None:
        for name, days in lengths.items():
            proposal = bench.proposal(buyer, seller, days, salt=bytes(31) + b"\1")
            found[f"{what}, for {name}"] = bench.gas("conclude", *bench.brought(proposal, buyer, seller))

    concluding("conclude the first of both members")
    numbers = {
        name: bench.conclude(bench.proposal(buyer, seller, days), buyer, seller) for name, days in lengths.items()
    }
    concluding("conclude")
    terms = {"slots": peak.slots, "weekdays": peak.weekdays, "salt": bytes(31) + b"\1"}
    proposal = bench.proposal(buyer, seller, YEAR, **terms)
    found["conclude, peak load of a year"] = bench.gas("conclude", *bench.brought(proposal, buyer, seller))
    answer = bench.proposal(buyer, seller, YEAR, answers=message_hash(bench.proposal(seller, buyer)))
    found["conclude a counter-proposal"] = bench.gas("conclude", *bench.brought(answer, buyer, seller))
    open_to_all = bench.proposal(buyer, seller, counterparty=NOBODY)
    found["revoke"] = bench.gas("revoke", *revocation(bench.market, open_to_all, buyer.account))
    for name, number in numbers.items():
        message = Ending(number, 1, OPENING + DAY)
        found[f"end before it begins, {name}"] = bench.gas(
            "end", *ending(bench.market, message, buyer.account, seller.account)
        )
    bench.market.act("ParticipantRegistry.exit", seller.id)
    for name, number in numbers.items():
        if name == "a year":
            found[f"terminate, {name}"] = bench.gas("terminate", number)
    return found


def booking(days: int) -> dict[str, int]:
    """What a member costs, by its number of contracts, all of that length."""
    bench = Bench()
    first, *others = bench.people
    for n, count in enumerate(MANY):
        buyer, seller = others[2 * n : 2 * n + 2]
        for _ in range(count):
            bench.conclude(bench.proposal(buyer, seller, days), buyer, seller)
    bench.market.now = CALENDAR.gate_closes_at(2)
    found = {"0": bench.member(2, first.id)}
    for n, count in enumerate(MANY):
        found[str(count)] = bench.member(2, others[2 * n].id)
    bench.market.act("ParticipantRegistry.suspend", first.id)
    bench.market.chain.send(STRANGER.address, bench.market.contracts[MARKET], "book", 2, 1, len(bench.people) + 5)
    found |= {f"{count}, again": bench.member(2, others[2 * n].id) for n, count in enumerate(MANY)}
    return found


INTRODUCTION = """# Gas of bilateral contracts

Whole transactions, base cost, calldata and signatures included; 96 periods a day, base load unless it says otherwise. A
contract over a year costs no more than one over a day: to make, to end, and to settle a day of it.

Written by `make bench-bilateral` from `bench/bilateral.py`; the figures are in `bilateral.json` too.
"""


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """A table of names and numbers."""
    return [f"| {' | '.join(header)} |", "|---|" + "--:|" * (len(header) - 1), *(f"| {' | '.join(r)} |" for r in rows)]


def main() -> None:
    """Measure and write."""
    by_length: dict[str, Callable[[], dict[str, int]]] = {
        "a day": lambda: booking(1),
        "a year": lambda: booking(YEAR),
    }
    record = {"transactions": agreeing(), "booking": {name: measure() for name, measure in by_length.items()}}
    (ROOT / "bench" / "bilateral.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    lines = [INTRODUCTION, *table(("a transaction", "gas"), [(k, f"{v:,}") for k, v in record["transactions"].items()])]
    lines += ["", "What booking a day adds to its settlement, per member, by how many contracts that has:", ""]
    columns = list(record["booking"]["a day"])
    rows = [(f"contracts for {name}", *(f"{found[c]:,}" for c in columns)) for name, found in record["booking"].items()]
    lines += table(("gas per member", *columns), rows)
    text = "\n".join([*lines, ""])
    (ROOT / "bench" / "bilateral.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
