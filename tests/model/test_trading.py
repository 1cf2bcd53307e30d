"""The crowd on a mixed day: positions, limits, pools, sessions, and that nobody trades at worse than its tariff."""

from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from support.model.whole_day import Day, play

from dem.community.crowd import Crowd
from dem.community.presets import POOLED, Mode, place
from dem.community.scenario import Kind, Scenario, load_scenario
from dem.errors import InputError
from dem.model.collateral import order_collateral
from dem.model.markets.auction import OrderBook
from dem.model.markets.dealing import Intermediary
from dem.model.mechanisms import MECHANISMS, SETUPS, Markets
from dem.model.orders import BROKERED_LAYER, Order, Side, lines_of
from dem.model.rules import ImbalancePricing

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"


@cache
def village(name: str = "rural-markets") -> Scenario:
    return load_scenario(SCENARIOS / name)


@cache
def mixed() -> Day:
    """The mixed demo's day through all its markets."""
    return play(village())


def ids(scenario: Scenario) -> dict[str, int]:
    return {member.name: i for i, member in enumerate(scenario.participants, start=3)}


def nets(orders: list[Order]) -> dict[tuple[int, int], int]:
    """Energy ordered by participant and slot, what is bought positive."""
    sums: dict[tuple[int, int], int] = defaultdict(int)
    for order in orders:
        sums[order.participant, order.slot] += order.energy if order.side is Side.BID else -order.energy
    return sums


# scenarios without anything new


@pytest.mark.parametrize("name", ["rural-sunday", "rural-weekday"])
def test_a_scenario_of_one_auction_is_what_it_was(name: str) -> None:
    scenario = village(name).trading_by("truthful")
    crowd = Crowd(scenario, 1)
    assert scenario.markets == Markets()
    assert crowd.orders(ids(scenario)) == scenario.orders(1, ids(scenario))
    assert crowd.metered({"home-02": [1] * 96}) == scenario.metered(1)
    assert (crowd.proposals(), crowd.pool_orders(ids(scenario)), crowd.desk_offers(), crowd.sessions) == (
        [],
        {},
        None,
        [],
    )


def test_set_ups_are_data() -> None:
    assert {name: markets.names for name, markets in SETUPS.items()} == {
        "fallback only": (),
        "bilateral only": ("bilateral",),
        "pool": ("pools",),
        "order book": ("order_book",),
        "random matching": ("random_matching",),
        "call auction": ("call_auction",),
        "call auction + intraday": ("call_auction", "intraday"),
        "all": tuple(MECHANISMS),
    }
    assert village().with_markets(SETUPS["all"]).markets == SETUPS["all"]


def test_a_market_must_be_described() -> None:
    with pytest.raises(InputError, match="rural-sunday, markets: 'bilateral' is not described"):
        village("rural-sunday").with_markets(SETUPS["bilateral only"])


def test_without_a_market_everybody_has_the_tariffs() -> None:
    scenario = village().with_markets(SETUPS["fallback only"])
    crowd = Crowd(scenario, 1)
    rules = scenario.rules(1)
    assert (rules.imbalance_pricing, rules.deviation_rate) == (ImbalancePricing.TARIFF, 0)
    assert crowd.orders(ids(scenario)) == crowd.proposals() == crowd.sessions == []
    assert crowd.agreed == crowd.pool_orders(ids(scenario)) == {}
    assert crowd.desk_offers() is None


# limits


@pytest.mark.parametrize("market", ["pools", "call_auction", "intraday"])
def test_nobodys_limit_is_worse_than_its_tariff(market: str) -> None:
    scenario, orders = village(), mixed().orders[market]
    rules, tariffs = scenario.rules(1), scenario.tariffs(1)
    plant = ids(scenario)["plant"]
    assert orders
    for order in orders:
        fees = rules.fees + (
            scenario.config.pools[0].commission if market == "pools" and order.participant != plant else 0
        )
        if order.side is Side.BID:
            assert rules.prices.price_of(order.tick) + fees <= tariffs[order.slot].buy
        else:
            assert rules.prices.price_of(order.tick) - fees >= tariffs[order.slot].sell


def test_no_contract_is_worse_than_the_tariffs() -> None:
    scenario = village()
    fees, tariffs = scenario.rules(1).fees, scenario.tariffs(1)
    assert len(Crowd(scenario, 1).proposals()) == 4
    for agreement in scenario.agreements:
        covered = [slot for slot, wh in enumerate(agreement.energy_of(scenario.calendar, 1)) if wh]
        assert covered
        assert all(tariffs[slot].sell + fees <= agreement.price <= tariffs[slot].buy - fees for slot in covered)


@pytest.mark.parametrize("market", ["pools", "call_auction"])
def test_orders_are_what_the_markets_take(market: str) -> None:
    scenario, orders = village(), mixed().orders[market]
    rules, names = scenario.rules(1), mixed().names
    sides: Counter[tuple[int, int, Side]] = Counter()
    for order in orders:
        assert order.energy >= rules.min_order_energy
        assert order.layer % BROKERED_LAYER < rules.max_layers
        sides[order.participant, order.slot, order.side] += order.energy
    for (number, _, side), energy in sides.items():
        member = scenario.participant(names[number])
        assert energy <= (member.import_capacity if side is Side.BID else member.export_capacity)
    for number in {order.participant for order in orders}:
        lines_of([order for order in orders if order.participant == number], 1, 96)


def test_deposits_cover_the_whole_day() -> None:
    scenario = village()
    rules, numbers = scenario.rules(1), ids(scenario)
    locked: Counter[int] = Counter()
    for orders in mixed().orders.values():
        for order in orders:
            locked[order.participant] += order_collateral(order, rules)
    worst = rules.max_buy + rules.deviation_rate + rules.fees
    for agreement in scenario.agreements:
        energy = sum(agreement.energy_of(scenario.calendar, 1))
        locked[numbers[agreement.buyer]] += energy * (agreement.price + rules.extra)
        locked[numbers[agreement.seller]] += energy * (worst - agreement.price)
    for member in scenario.participants:
        assert locked[numbers[member.name]] <= member.deposit, member.name


# positions


def test_day_ahead_covers_what_is_not_contracted() -> None:
    scenario = village("rural-sunday").trading_by("truthful")
    crowd, numbers = Crowd(scenario, 1), ids(scenario)
    expected = crowd.forecasts["pv-8"]
    slot = expected.index(min(expected))
    contracted = {"pv-8": [0] * 96, "farm-13": [0] * 96, "pv-1": [0] * 96}
    contracted["pv-8"][slot] = expected[slot] + 40  # sold all but 40 Wh
    contracted["pv-1"][slot] = crowd.forecasts["pv-1"][slot] - 40  # sold 40 Wh too much
    contracted["farm-13"][slot] = 300
    ordered = nets(crowd.orders(numbers, contracted))
    assert ordered[numbers["pv-8"], slot] == -40
    assert ordered[numbers["farm-13"], slot] == crowd.forecasts["farm-13"][slot] - 300
    assert (numbers["pv-1"], slot) not in ordered  # its connection takes nothing in
    assert ordered[numbers["pv-8"], slot + 1] == expected[slot + 1]


def test_who_contracted_too_much_offers_the_difference() -> None:
    scenario = village()
    crowd, numbers = Crowd(scenario, 1), ids(scenario)
    (session, *_) = crowd.sessions
    contracted = {"farm-09": [0] * 96, "pv-4": [0] * 96}
    contracted["farm-09"][50] = crowd.forecasts["farm-09"][50] + 70
    contracted["pv-4"][50] = crowd.forecasts["pv-4"][50] - 70
    ordered = nets(crowd.intraday_orders(session, numbers, contracted))
    assert ordered[numbers["farm-09"], 50] == -70
    assert ordered[numbers["pv-4"], 50] == 70  # buys back what it sold too much
    contracted["pv-4"][50] += 100
    assert nets(crowd.intraday_orders(session, numbers, contracted))[numbers["pv-4"], 50] == -30


def test_contracts_sum_to_zero_in_every_period() -> None:
    for positions in mixed().contracted:
        assert not np.array(list(positions.values())).sum(axis=0).any()


def test_nobody_contracts_beyond_its_connection() -> None:
    for name, position in mixed().energy.items():
        member = village().participant(name)
        if member.kind in (Kind.CONSUMER, Kind.PROSUMER):
            assert all(-member.export_capacity <= wh <= member.import_capacity for wh in position), name


# pools


def test_clients_send_their_share_through_the_pool() -> None:
    scenario = village()
    crowd, numbers = mixed().crowd, ids(scenario)
    pool, rest = nets(mixed().orders["pools"]), nets(mixed().orders["call_auction"])
    alone, partly = numbers["pv-1"], numbers["pv-7"]
    slot = 50
    assert pool[alone, slot] == crowd.forecasts["pv-1"][slot]
    assert (alone, slot) not in rest
    assert pool[partly, slot] == -(-crowd.forecasts["pv-7"][slot] * 600 // 1000)
    assert pool[partly, slot] + rest[partly, slot] == crowd.forecasts["pv-7"][slot]
    assert alone not in {order.participant for order in mixed().orders["intraday"]}


def test_without_pools_clients_trade_themselves() -> None:
    scenario = village().with_markets(SETUPS["call auction"])
    crowd, numbers = Crowd(scenario, 1), ids(scenario)
    ordered = nets(crowd.orders(numbers))
    assert ordered[numbers["pv-1"], 50] == crowd.forecasts["pv-1"][50]
    assert numbers["plant"] not in {number for number, _ in ordered}


def test_the_power_plant_sells_on_what_it_took() -> None:
    plant, fills = ids(village())["plant"], mixed().pool_fills
    assert list(fills) == ["village-plant"]
    book, filled = fills["village-plant"]
    taken: Counter[int] = Counter()
    for row in np.flatnonzero(book.participant == plant):
        taken[int(book.slot[row])] += int(filled[row]) * (1 if book.side[row] == Side.BID else -1)
    assert any(taken.values())
    onwards = {slot: wh for (number, slot), wh in nets(mixed().orders["call_auction"]).items() if number == plant}
    assert onwards == {slot: -wh for slot, wh in taken.items() if abs(wh) >= village().rules(1).min_order_energy}


def with_preset(preset: Mode) -> Scenario:
    pool = village().config.pools[0].model_copy(update={"preset": preset})
    return replace(village(), config=village().config.model_copy(update={"pools": [pool]}))


@pytest.mark.parametrize("preset", sorted(POOLED))
def test_an_intermediary_orders_what_its_preset_says(preset: Mode) -> None:
    scenario = with_preset(preset)
    plant, member = ids(scenario)["plant"], scenario.participant("plant")
    orders = Crowd(scenario, 1).pool_orders(ids(scenario))["village-plant"]
    wishes = [replace(o, layer=o.layer - BROKERED_LAYER) for o in orders if o.participant != plant]
    assert all(order.layer >= BROKERED_LAYER for order in orders if order.participant != plant)
    quotes = Crowd(scenario, 1)._quotes(scenario.config.pools[0])
    dealer = Intermediary(
        plant, quotes, member.import_capacity, member.export_capacity, scenario.rules(1).min_order_energy
    )
    assert tuple(orders) == place(preset, wishes, dealer).pool


def test_a_retailers_price_is_the_only_one() -> None:
    played = play(with_preset(Mode.RETAILER))
    posted = Crowd(played.crowd.scenario, 1)._quotes(played.crowd.scenario.config.pools[0])
    assert {clearing.price == posted[slot].bid for slot, clearing in played.pool_clearings.items()} == {True}


def test_a_microgrid_trades_nothing_on() -> None:
    played = play(with_preset(Mode.MICROGRID))
    for market in ("call_auction", "intraday"):
        assert played.ids["plant"] not in {order.participant for order in played.orders[market]}


# islands


def test_an_island_is_balanced_and_cuts_one_side_at_a_time() -> None:
    played = play(village("rural-island"))
    cut = played.crowd.cut(played.ids, played.energy, OrderBook.of(played.orders["call_auction"]))
    wanted = played.crowd.scenario.metered(1)
    shown, whole = (np.array([meters[name] for name in wanted]) for meters in (cut, wanted))
    assert not shown.sum(axis=0).any()
    assert (shown * whole >= 0).all()
    shed, curtailed = ((sign * (whole - shown)).clip(min=0).sum(axis=0) for sign in (1, -1))
    assert shed.any()
    assert curtailed.any()
    assert not (shed * curtailed).any()


# the desk


def test_the_desk_offers_at_the_exchanges_prices() -> None:
    offers = mixed().crowd.desk_offers()
    assert offers is not None
    assert (offers[0].price, offers[14 * 4].price) == (1_420, -13_009)
    assert {(offer.penalty, offer.imports) for offer in offers} == {(1_000, 20_000)}
    assert len(offers) == 96


# intraday


def test_sessions_know_what_has_passed_and_trade_what_is_open() -> None:
    first, second, *_ = mixed().crowd.sessions
    assert (first.starts, first.known, first.first) == (-4 * 3_600, 0, 0)
    assert (second.starts, second.known, second.first) == (5 * 3_600, 20, 22)  # period 21 begins when its gate closes


def test_a_session_is_the_same_again_and_arrives_in_its_own_order() -> None:
    crowd, numbers = mixed().crowd, ids(village())
    session, contracted = crowd.sessions[3], mixed().contracted[3]
    orders = crowd.intraday_orders(session, numbers, contracted)
    assert orders == Crowd(village(), 1).intraday_orders(session, numbers, contracted)
    assert all(order.slot >= session.first for order in orders)
    arrivals = [
        list(dict.fromkeys(order.participant for order in some)) for some in (orders, mixed().orders["intraday"])
    ]
    assert arrivals[0] != sorted(arrivals[0])
    assert arrivals[0] != arrivals[1]


def test_revised_forecasts_use_no_reading_of_the_future() -> None:
    crowd = mixed().crowd
    session = crowd.sessions[3]
    revised = crowd.revised(session)
    shown = crowd.scenario.metered(1)
    for name in revised:
        assert revised[name][: session.known] == shown[name][: session.known]
    hidden = Crowd(village(), 1)
    for quantity in (hidden._load, hidden._pv):
        for values in quantity.values():
            values[session.known :] = [0] * (96 - session.known)
    assert hidden.revised(session) == revised


@pytest.mark.parametrize(("name", "load", "pv"), [("rural-markets", 0.963, 0.868), ("rural-weekday", 0.994, 0.603)])
def test_revised_forecasts_are_better_than_those_of_the_day_before(name: str, load: float, pv: float) -> None:
    """The figures of docs/guide/scenarios.md: error over the eight hours after each session, of the day before's."""
    keys = village().config.intraday
    scenario = village(name)
    config = scenario.config.model_copy(update={"intraday": keys, "markets": Markets(intraday=True)})
    crowd = Crowd(replace(scenario, config=config), 1)
    shown = scenario.metered(1)
    for plants, share in ((False, load), (True, pv)):
        meters = [meter for meter in crowd.forecasts if meter.startswith("pv-") is plants]
        before = after = 0
        for session in crowd.sessions[1:]:
            revised, slots = crowd.revised(session), slice(session.first, session.first + 32)
            for meter in meters:
                actual = shown[meter][slots]
                before += sum(abs(a - b) for a, b in zip(crowd.forecasts[meter][slots], actual, strict=True))
                after += sum(abs(a - b) for a, b in zip(revised[meter][slots], actual, strict=True))
        assert after / before == pytest.approx(share, abs=5e-4)


# delivery


def test_stores_change_what_their_meters_show_and_nothing_else() -> None:
    crowd = mixed().crowd
    shown, before = crowd.metered(mixed().energy), village().metered(1)
    stores = {member.name for member in village().participants if member.flexible}
    assert {name for name in shown if shown[name] != before[name]} == stores
    for name in stores:
        member = village().participant(name)
        assert all(-member.export_capacity <= wh <= member.import_capacity for wh in shown[name])
        if member.battery is None:
            assert sum(shown[name]) == sum(before[name])
        else:
            assert sum(shown[name]) >= sum(before[name])


def test_stores_bring_meters_closer_to_the_contracts() -> None:
    crowd = mixed().crowd
    shown, before = crowd.metered(mixed().energy), village().metered(1)

    def miss(meters: dict[str, list[int]]) -> int:
        return sum(
            abs(wh - had)
            for member in village().participants
            if member.flexible
            for wh, had in zip(meters[member.name], mixed().energy[member.name], strict=True)
        )

    assert miss(shown) < miss(before)
