"""What offices announce before a day: the council's rules, the fallback supplier's tariffs."""

from collections.abc import Sequence

from dem.deployment.plan import rules_tuple
from dem.model.rules import MarketRules, Tariff
from dem.model.strips import LANES, pack
from dem.model.units import PriceRange
from dem.relay.batches import Relay, batches


def announce_rules(relay: Relay, first_day: int, rules: MarketRules) -> None:
    """A version of the rules, unless it is announced."""
    contract, words = relay.market.rules, rules_tuple(rules)
    if contract.functions.rulesOf(first_day).call() != words:
        relay.chain.send(relay.market.keys["council"], contract, "announce", first_day, words)


def are_published(relay: Relay, day: int, tariffs: Sequence[Tariff]) -> bool:
    """Whether these tariffs are those of the day."""
    published: list[int] = relay.market.fallback.functions.tariffsOf(day).call()
    return published == _words(day, tariffs, relay.market.prices)


def publish_tariffs(relay: Relay, day: int, tariffs: Sequence[Tariff]) -> None:
    """The fallback supplier's tariffs, unless they are published or the day has opened."""
    if are_published(relay, day, tariffs) or relay.chain.now() >= relay.market.calendar.opens_at(day):
        return
    words = _words(day, tariffs, relay.market.prices)
    relay.chain.send(relay.market.keys["supplier"], relay.market.fallback, "publish", day, words)


def _words(day: int, tariffs: Sequence[Tariff], prices: PriceRange) -> list[int]:
    lanes = [tariff.lane(prices) for tariff in tariffs]
    return [pack(day, some) for some in batches(lanes, LANES)]
