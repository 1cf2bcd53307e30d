"""Every role by its name: what it is for, its settings, and how it begins.

A further role is one more entry of ROLES, with its settings in `dem.roles.settings` and its steps in a module of its
own. The command, the services, health and metrics follow from the table.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from starlette.routing import BaseRoute

from dem.chain.accounts import KeyAccount, open_keystore
from dem.gateway.config import Limits
from dem.grid.members import buses, expected
from dem.roles import settings as s
from dem.roles.http import Listening, Tls
from dem.roles.sources import banks, energies, offers, papers, payments, quotes, tariffs
from dem.roles.step import Role

if TYPE_CHECKING:
    from dem.relay.batches import Relay


class Opened(NamedTuple):
    """A role that can begin. make: its steps, anew with what the chain has. routes: what it takes, listening: how."""

    make: Callable[[], Role]
    routes: Sequence[BaseRoute] = ()
    listening: Listening = Listening()


@dataclass(frozen=True)
class RoleKind:
    """about: what it does. settings: of its file. open: the role of these settings with this key, if it has one."""

    about: str
    settings: type[s.Common]
    open: Callable[[Any, Any], Opened]


def open_role(name: str, path: Path) -> tuple[s.Common, Opened]:
    """The role that a file describes.

    Raises:
        InputError: settings or keystore will not do.
        ChainError: the market is not there.
    """
    kind = ROLES[name]
    found = s.read(path, kind.settings)
    key = open_keystore(found.keystore, found.passphrase_file) if isinstance(found, s.Keyed) else None
    return found, kind.open(found, key)


# ------------------------------------------------------------------------------------------------------ on the chain


def _relay(settings: s.OnChain, key: KeyAccount, *offices: str) -> "Relay":
    """A relay whose offices are all held by the role's own key."""
    # The connection brings ape along, which takes seconds: roles without a chain do without.
    from dem.chain.connection import Chain
    from dem.chain.networks import connect_to
    from dem.deployment.market import MANIFEST, connect
    from dem.relay.batches import Relay

    connect_to(settings.network)
    chain = Chain.connected()
    chain.wait_for_pending([key])
    return Relay(connect(chain, dict.fromkeys(offices, key), settings.folder / MANIFEST))


def _on_chain(
    settings: s.OnChain, key: KeyAccount, offices: Sequence[str], steps: Callable[["Relay"], Any], back: int = 0
) -> Callable[[], Role]:
    def make() -> Role:
        from dem.roles.chain import ChainRole

        relay = _relay(settings, key, *offices)
        return ChainRole(relay, steps(relay).steps, back)

    return make


def _operator(settings: s.Operator, key: KeyAccount) -> Opened:
    from dem.relay.following import Following
    from dem.replay.market import RING
    from dem.roles.operator import Operator

    def steps(relay: "Relay") -> Operator:
        return Operator(relay, Following(relay.records), settings.standby_seconds, settings.coins)

    # Coins of a day can be had until the day eight later begins.
    return Opened(_on_chain(settings, key, ["relayer"], steps, RING - 1 if settings.coins else 0))


def _registrar(settings: s.Registrar, key: KeyAccount) -> Opened:
    from dem.roles.offices import Registrar, approved, everyone

    def steps(relay: "Relay") -> Registrar:
        decided = everyone(relay) if settings.admit == "everyone" else approved(relay, papers(settings.papers))
        return Registrar(relay, decided)

    return Opened(_on_chain(settings, key, ["registrar"], steps))


def _treasurer(settings: s.Treasurer, key: KeyAccount) -> Opened:
    from dem.gateway.client import Client
    from dem.roles.offices import Treasurer, with_first_payments
    from dem.roles.outbox import BankAccount, Outbox
    from dem.roles.payouts import AtGateway, Payouts

    def make(relay: "Relay") -> Treasurer:
        came = payments(settings.payments)
        first = settings.first_payment
        out: Payouts | None = None
        if settings.gateway is not None and settings.payer_iban is not None:
            outbox = Outbox(settings.outbox, BankAccount(settings.payer_name, settings.payer_iban), settings.currency)
            out = Payouts(
                relay, AtGateway(Client(settings.gateway, key.key)), banks(settings.banks), outbox, settings.depth
            )
        return Treasurer(relay, came if first is None else with_first_payments(relay, came, first), out)

    return Opened(_on_chain(settings, key, ["treasurer"], make))


def _supplier(settings: s.Supplier, key: KeyAccount) -> Opened:
    from dem.roles.offices import Supplier

    return Opened(
        _on_chain(settings, key, ["supplier"], lambda r: Supplier(r, tariffs(settings.tariffs, r.periods_per_day)))
    )


def _clerk(settings: s.Clerk, key: KeyAccount) -> Opened:
    from dem.governance.council import in_words
    from dem.roles.offices import Clerk

    def steps(relay: "Relay") -> Clerk:
        return Clerk(
            relay, lambda p: in_words(relay.market.addresses, p.calls) in settings.approve, settings.credit_limits
        )

    return Opened(_on_chain(settings, key, ["council", "node"], steps))


def _desk(settings: s.Desk, key: KeyAccount) -> Opened:
    from dem.roles.desk import Desk

    def steps(relay: "Relay") -> Desk:
        return Desk(relay, key, offers(settings.offers, relay.periods_per_day))

    return Opened(_on_chain(settings, key, ["relayer"], steps))


def _dispatcher(settings: s.Dispatcher, key: KeyAccount) -> Opened:
    from dem.grid.network import read_network
    from dem.relay.following import Following
    from dem.roles.dispatcher import GridDispatcher, knowledge_of

    network = read_network(settings.grid)

    def steps(relay: "Relay") -> GridDispatcher:
        follow = Following(relay.records)
        energies_of = expected(settings.expected, relay.periods_per_day)
        knowledge = knowledge_of(relay, network, buses(settings.buses), energies_of, follow)
        return GridDispatcher(relay, knowledge, follow)

    # A late reading changes what is charged: it looks a week back.
    return Opened(_on_chain(settings, key, ["dispatcher", "relayer"], steps, 7))


def _intermediary(settings: s.Intermediary, key: KeyAccount) -> Opened:
    from dem.relay.following import Following
    from dem.roles.intermediary import LAPSES_AFTER, Business, Trader

    def steps(relay: "Relay") -> Trader:
        slots, prices = relay.periods_per_day, relay.market.prices
        business = Business(
            settings.pool,
            settings.commission,
            expected(settings.clients, slots),
            quotes(settings.quotes, slots, prices),
        )
        return Trader(relay, key, Following(relay.records), business)

    return Opened(_on_chain(settings, key, ["relayer"], steps, LAPSES_AFTER))


def _carrier(is_metering: bool, settings: s.Carrier, key: KeyAccount) -> Opened:
    from dem.deployment.market import MANIFEST, Manifest
    from dem.gateway.protocol import KINDS
    from dem.messages.readings import ReadingSheet
    from dem.roles.carriers import Carrier, Inbox

    manifest = Manifest.load(settings.folder / MANIFEST)
    contracts = {name: entry["address"] for name, entry in manifest.contracts.items()}
    types = [ReadingSheet] if is_metering else [type_ for type_, kind in KINDS.items() if kind.is_alone]
    inbox = Inbox(settings.inbox, types, manifest.chain_id, contracts)
    make = _on_chain(settings, key, ["relayer"], partial(Carrier, inbox=inbox))
    return Opened(make, [inbox.route()])


# -------------------------------------------------------------------------------------------------- at a gateway


def _household(settings: s.Household, key: KeyAccount) -> Opened:
    from dem.gateway.client import Client
    from dem.messages.members import Application
    from dem.model.units import Wh
    from dem.replay.members import KINDS
    from dem.roles.home import Autopilot, Standing

    application = Application(
        account=key.address,
        meter=settings.meter,
        kind=KINDS.index(settings.kind),
        import_capacity=Wh(settings.import_capacity_wh),
        export_capacity=Wh(settings.export_capacity_wh),
        feeder=settings.feeder.encode().ljust(32, b"\0")[:32],
        documents=bytes.fromhex(settings.documents[2:]),
    )
    client = Client(settings.gateway, key.key)
    standing = Standing(settings.buy_at_most, settings.sell_at_least)

    def make() -> Role:
        periods = client.market["calendar"]["periods_per_day"]
        expected = energies(settings.expected, periods) if settings.expected else lambda _day: None
        return Autopilot(client, application, standing, expected)

    return Opened(make)


def _meter(settings: s.Meter, key: KeyAccount) -> Opened:
    from dem.gateway.client import Client
    from dem.roles.home import Meter, MeteringGateway

    client = Client(settings.gateway, key.key)
    delivery = MeteringGateway(settings.bring) if settings.bring else None

    def make() -> Role:
        return Meter(client, energies(settings.readings, client.market["calendar"]["periods_per_day"]), delivery)

    return Opened(make)


# ---------------------------------------------------------------------------------------------------- at an index


def _biller(settings: s.Biller, _key: None) -> Opened:
    from dem.deployment.market import MANIFEST, Manifest
    from dem.gateway.bills.book import Book
    from dem.gateway.bills.days import Billing
    from dem.gateway.pages.figures import Market
    from dem.gateway.reads import Index
    from dem.roles.biller import Biller

    zone, index = ZoneInfo(settings.timezone), Index(settings.index)

    def make() -> Role:
        calendar, book = Manifest.load(settings.folder / MANIFEST).calendar, Book(settings.bills)

        def begin(now: int) -> Billing:
            market = Market(index, calendar, zone, datetime.fromtimestamp(now, UTC))
            return Billing(index, market, book, settings.series, settings.currency, settings.depth)

        return Biller(begin, time.time)

    return Opened(make)


# ----------------------------------------------------------------------------------------------- before a node


def _gate(settings: s.Gate, _key: None) -> Opened:
    from dem.roles.gate import Gate, Idle

    gate = Gate(settings.node, settings.methods, settings.senders, settings.batch)
    files = (settings.certificate, settings.private_key, settings.clients)
    tls = Tls(*files) if all(files) else None  # type: ignore[arg-type]
    limits = Limits(requests_per_minute=settings.requests_per_minute)
    return Opened(Idle, [gate.route()], Listening(limits, tls))


ROLES: dict[str, RoleKind] = {
    "operator": RoleKind("clears, closes metering, settles, ends days, pays the fund", s.Operator, _operator),
    "registrar": RoleKind("admits members whose papers are in order", s.Registrar, _registrar),
    "treasurer": RoleKind(
        "deposits what came in at the bank, has paid out what members sign for", s.Treasurer, _treasurer
    ),
    "supplier": RoleKind("publishes the fallback supplier's tariffs", s.Supplier, _supplier),
    "clerk": RoleKind("approves and executes for a seat of the council, sets credit limits", s.Clerk, _clerk),
    "desk": RoleKind("offers what the upper market trades, before and after the gate", s.Desk, _desk),
    "dispatcher": RoleKind(
        "publishes what the network leaves members, has charged what goes beyond", s.Dispatcher, _dispatcher
    ),
    "intermediary": RoleKind("orders for its clients, deals in its pool, collects", s.Intermediary, _intermediary),
    "relayer": RoleKind("takes signed messages and brings them in batches", s.Carrier, partial(_carrier, False)),
    "metering": RoleKind("takes meters' sheets and brings them in batches", s.Carrier, partial(_carrier, True)),
    "biller": RoleKind("issues the bills of final days", s.Biller, _biller),
    "household": RoleKind("orders for a household within its standing limits", s.Household, _household),
    "gate": RoleKind("lets some ask a node some things, and nobody anything else", s.Gate, _gate),
    "meter": RoleKind("signs the readings of a meter", s.Meter, _meter),
}
"""Every role."""
